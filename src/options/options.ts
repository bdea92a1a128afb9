import { KeyStoreError } from "../util/errors.ts";
import { assertNamespace, isWellFormed } from "../model/key.ts";
import { KeyFormat } from "../model/metadata.ts";

export interface KeyStoreOptions {
  /**
   * WebSocket URLs of NATS servers.
   * @default "ws://localhost:9222"
   */
  servers?: string | readonly string[];
  /**
   * One IndexedDB database and one subject tree each.
   * @default "default"
   */
  namespace?: string;
  /**
   * Entries held in memory (LRU); 0 turns the memory front off.
   * @default 100
   */
  cacheSize?: number;
  /**
   * Entries held in IndexedDB; beyond, those used least recently are evicted.
   * @default no limit
   */
  maxEntries?: number;
  /**
   * Bytes of payload, before compression, held in IndexedDB; beyond, the entries used least recently are evicted.
   * @default no limit
   */
  maxBytes?: number;
  /**
   * A larger message is refused before anything is written.
   * @default 1_048_576
   */
  maxPayloadBytes?: number;
  /**
   * Seconds after which an entry expires when its own `ttl` says nothing.
   * @default never
   */
  defaultTtl?: number;
  /**
   * How often expired entries are removed in the background; 0 turns that off, expired entries are absent all the same.
   * @default 60_000
   */
  sweepIntervalMs?: number;
  /**
   * How long an idle connection stays open; 0 closes it as soon as it is idle.
   * @default 0
   */
  lingerMs?: number;
  /**
   * For connecting and flushing together; then the write is queued and resolves `false`.
   * @default 2_000
   */
  timeoutMs?: number;
  /**
   * Gzip payloads above 1 KiB, or above the threshold given, when that makes them smaller.
   * @default false
   */
  compression?: boolean | { thresholdBytes: number };
  /** Credentials and the rest of nats.ws' ConnectionOptions; never logged or stored. */
  connection?: object;
  /**
   * Another NATS client's `connect`, such as `wsconnect` of `@nats-io/nats-core`.
   * @default connect of nats.ws
   */
  connect?: (options: object) => Promise<unknown>;
  /**
   * Ask the browser at the first write not to clear the site's storage by itself (`navigator.storage.persist()`).
   * @default false
   */
  persist?: boolean;
}

export interface StoreOptions {
  /** @default "json" */
  format?: KeyFormat;
  /**
   * Seconds, may be fractional; null: never expires.
   * @default the store's `defaultTtl`
   */
  ttl?: number | null;
  /** @default [] */
  tags?: readonly string[];
  /** Compare-and-set in this browser: 0 means that the key must not exist, else its current version. */
  ifVersion?: number;
  signal?: AbortSignal;
}

export interface BulkOptions extends StoreOptions {
  /** Called as entries are committed: how many are, of how many. For calls that take a while: over 1,000 items, say. */
  onProgress?: (done: number, total: number) => void;
}

export type DeleteOptions = Pick<StoreOptions, "ifVersion" | "signal">;

export interface RetrieveOptions {
  /**
   * False: past the memory front, from IndexedDB, checksum verified.
   * @default true
   */
  useCache?: boolean;
  signal?: AbortSignal;
}

/** The options of a store with every default filled in. */
export type Settings = Readonly<ReturnType<typeof readKeyStoreOptions>>;

const DEFAULT_COMPRESSION_THRESHOLD_BYTES = 1024;
/** Browsers fire a longer timer at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;
/** Keeps `expiresAt` within what a Date can hold. */
const MAX_TTL_SECONDS = 1e12;

/** @throws KeyStoreError INVALID_OPTION naming the option */
export function readKeyStoreOptions(options: unknown) {
  const o = checked<KeyStoreOptions>(options, KEY_STORE_OPTIONS);
  const servers = o.servers ?? "ws://localhost:9222";
  const compression = o.compression ?? false;
  return {
    servers: typeof servers === "string" ? [servers] : [...servers],
    namespace: o.namespace ?? "default",
    cacheSize: o.cacheSize ?? 100,
    /** Infinity: no limit. */
    maxEntries: o.maxEntries ?? Infinity,
    /** Infinity: no limit. */
    maxBytes: o.maxBytes ?? Infinity,
    maxPayloadBytes: o.maxPayloadBytes ?? 1024 * 1024,
    defaultTtl: o.defaultTtl ?? null,
    sweepIntervalMs: o.sweepIntervalMs ?? 60_000,
    lingerMs: o.lingerMs ?? 0,
    timeoutMs: o.timeoutMs ?? 2_000,
    /** Infinity: no compression. */
    compressAboveBytes:
      compression === false ? Infinity : compression === true ? DEFAULT_COMPRESSION_THRESHOLD_BYTES : compression.thresholdBytes,
    connection: { ...o.connection },
    connect: o.connect,
    persist: o.persist ?? false,
  };
}

/** Says what the option must be when the value is not that. */
type Check = (value: unknown) => string | undefined;

const KEY_STORE_OPTIONS: Record<keyof KeyStoreOptions, Check> = {
  servers: (value) => {
    // Array.from makes undefined of holes, which every() would pass over.
    const list: unknown[] = Array.isArray(value) ? Array.from(value as unknown[]) : [value];
    return list.length > 0 && list.every(isWebSocketUrl) ? undefined : "a WebSocket URL (ws:// or wss://) or a list of them";
  },
  namespace: (value) => {
    assertNamespace(value);
    return undefined;
  },
  cacheSize: wholeNumber(0),
  maxEntries: wholeNumber(1),
  maxBytes: wholeNumber(1),
  maxPayloadBytes: wholeNumber(1),
  defaultTtl: (value) => (isTtl(value) ? undefined : "a number of seconds above 0 and at most 1e12"),
  sweepIntervalMs: milliseconds(0),
  lingerMs: milliseconds(0),
  timeoutMs: milliseconds(1),
  compression: (value) => {
    if (typeof value === "boolean") return undefined;
    const { thresholdBytes, ...rest } = isRecord(value) ? value : {};
    const valid = wholeNumber(0)(thresholdBytes) === undefined && Object.keys(rest).length === 0;
    return valid ? undefined : "true, false or { thresholdBytes: a whole number }";
  },
  connection: (value) => {
    if (!isRecord(value)) return "an object";
    const ours = ["servers", "port", "timeout", "reconnect"].find((name) => name in value);
    if (ours !== undefined) return `without "${ours}", which the store sets itself (from servers and timeoutMs)`;
    return "debug" in value ? 'without "debug", which prints the credentials on the console' : undefined;
  },
  connect: aFunction,
  persist: trueOrFalse,
};

const signalCheck: Check = (value) => (value instanceof AbortSignal ? undefined : "an AbortSignal");
const ifVersionCheck = wholeNumber(0);

const SIGNAL_OPTIONS: Record<"signal", Check> = { signal: signalCheck };

const DELETE_OPTIONS: Record<keyof DeleteOptions, Check> = { ifVersion: ifVersionCheck, signal: signalCheck };

const STORE_OPTIONS: Record<keyof StoreOptions, Check> = {
  ...DELETE_OPTIONS,
  format: (value) => {
    const formats: readonly unknown[] = Object.values(KeyFormat);
    return formats.includes(value) ? undefined : `one of "${formats.join('", "')}"`;
  },
  ttl: (value) => (value === null || isTtl(value) ? undefined : "null or a number of seconds above 0 and at most 1e12"),
  tags: (value) => (Array.isArray(value) && Array.from(value as unknown[]).every(isTag) ? undefined : "an array of well-formed strings"),
};

const BULK_OPTIONS: Record<keyof BulkOptions, Check> = { ...STORE_OPTIONS, onProgress: aFunction };

const RETRIEVE_OPTIONS: Record<keyof RetrieveOptions, Check> = {
  useCache: trueOrFalse,
  signal: signalCheck,
};

const LIST_OPTIONS: Record<"tag", Check> = { tag: (value) => (isTag(value) ? undefined : "a well-formed string") };

// Each of these checks the options of a call. It throws INVALID_OPTION and names the option.
export const readStoreOptions = (options: unknown): StoreOptions => withOwnTags(checked<StoreOptions>(options, STORE_OPTIONS));
export const readBulkOptions = (options: unknown): BulkOptions => withOwnTags(checked<BulkOptions>(options, BULK_OPTIONS));
export const readDeleteOptions = (options: unknown): DeleteOptions => checked(options, DELETE_OPTIONS);
export const readRetrieveOptions = (options: unknown): RetrieveOptions => checked(options, RETRIEVE_OPTIONS);
export const readSignalOptions = (options: unknown): Pick<StoreOptions, "signal"> => checked(options, SIGNAL_OPTIONS);
export const readListOptions = (options: unknown): { tag?: string } => checked(options, LIST_OPTIONS);

/** The caller may change the array while the write waits. */
function withOwnTags<T extends StoreOptions>(options: T): T {
  return options.tags === undefined ? options : { ...options, tags: [...options.tags] };
}

const NO_OPTIONS = {};

/** The options that are there, each as it should be; `undefined` counts as not given. */
function checked<T extends object>(options: unknown, checks: Record<string, Check>): T {
  // Every read from memory passes here.
  if (options === undefined) return NO_OPTIONS as T;
  if (!isRecord(options)) throw new KeyStoreError("INVALID_OPTION", "The options must be an object.");
  const result: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(options)) {
    if (!Object.hasOwn(checks, name)) {
      throw new KeyStoreError("INVALID_OPTION", `There is no option "${name}" here. The options are: ${Object.keys(checks).join(", ")}.`);
    }
    if (value === undefined) continue;
    const expected = checks[name]?.(value);
    if (expected !== undefined) throw new KeyStoreError("INVALID_OPTION", `The option "${name}" must be ${expected}.`);
    result[name] = value;
  }
  return result as T;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function trueOrFalse(value: unknown): string | undefined {
  return typeof value === "boolean" ? undefined : "true or false";
}

function aFunction(value: unknown): string | undefined {
  return typeof value === "function" ? undefined : "a function";
}

function isTtl(value: unknown): boolean {
  return typeof value === "number" && value > 0 && value <= MAX_TTL_SECONDS;
}

function isTag(value: unknown): boolean {
  return typeof value === "string" && isWellFormed(value);
}

function isWebSocketUrl(value: unknown): boolean {
  return typeof value === "string" && /^wss?:\/\/\S+$/i.test(value) && URL.canParse(value);
}

function wholeNumber(least: number): Check {
  return (value) => (Number.isSafeInteger(value) && (value as number) >= least ? undefined : `a whole number of at least ${least}`);
}

function milliseconds(least: number): Check {
  return (value) =>
    typeof value === "number" && value >= least && value <= MAX_TIMER_MS
      ? undefined
      : `a number of milliseconds from ${least} to ${MAX_TIMER_MS}`;
}
