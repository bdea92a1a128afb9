import { isWellFormed, namespaceProblem } from "../model/key.ts";
import { KeyFormat } from "../model/metadata.ts";
import { KeyStoreError } from "../util/errors.ts";
import type { BulkOptions, DeleteOptions, KeyStoreOptions, RetrieveOptions, StoreOptions } from "./types.ts";

// Each function checks the options of the constructor or of a call, and drops those that are undefined. It throws INVALID_OPTION.
export const readKeyStoreOptions = (options: unknown): KeyStoreOptions => checked(options, KEY_STORE_OPTIONS, "KeyStoreOptions");
export const readStoreOptions = (options: unknown): StoreOptions => withOwnTags(checked(options, STORE_OPTIONS, "StoreOptions"));
export const readBulkOptions = (options: unknown): BulkOptions => withOwnTags(checked(options, BULK_OPTIONS, "BulkOptions"));
export const readDeleteOptions = (options: unknown): DeleteOptions => checked(options, DELETE_OPTIONS, "DeleteOptions");
export const readRetrieveOptions = (options: unknown): RetrieveOptions => checked(options, RETRIEVE_OPTIONS, "RetrieveOptions");
export const readFlushOptions = (options: unknown): Pick<StoreOptions, "signal"> => checked(options, FLUSH_OPTIONS, "flush");
export const readListOptions = (options: unknown): { tag?: string } => checked(options, LIST_OPTIONS, "listKeys");

/** Browsers fire a longer timer at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;
/** Keeps `expiresAt` in the range of a Date. */
const MAX_TTL_SECONDS = 1e12;

/** Completes the sentence "The option must be …" where the value is invalid. */
type Check = (value: unknown) => string | false | undefined;
type Checks<Options> = Readonly<Record<keyof Options, Check>>;

const TTL = "a number of seconds above 0 and at most 1e12";
const isTtl = (value: unknown): boolean => typeof value === "number" && value > 0 && value <= MAX_TTL_SECONDS;
const isTag = (value: unknown): boolean => typeof value === "string" && isWellFormed(value);
const aFunction = unless((value) => typeof value === "function", "a function");
const trueOrFalse = unless((value) => typeof value === "boolean", "true or false");
const signal = unless((value) => value instanceof AbortSignal, "an AbortSignal");
const version = wholeNumber(0);

// `every` skips holes. `Array.from` makes each of them undefined.
const KEY_STORE_OPTIONS: Checks<KeyStoreOptions> = {
  servers: unless((value) => {
    const list: unknown[] = Array.isArray(value) ? Array.from(value as unknown[]) : [value];
    return list.length > 0 && list.every(isWebSocketUrl);
  }, "a WebSocket URL (ws:// or wss://) or a list of them"),
  namespace: namespaceProblem,
  cacheSize: wholeNumber(0),
  maxEntries: wholeNumber(1),
  maxBytes: wholeNumber(1),
  maxPayloadBytes: wholeNumber(1),
  defaultTtl: unless(isTtl, TTL),
  sweepIntervalMs: milliseconds(0),
  lingerMs: milliseconds(0),
  timeoutMs: milliseconds(1),
  compression: unless((value) => {
    if (typeof value === "boolean") return true;
    const { thresholdBytes, ...rest } = isRecord(value) ? value : {};
    return isWholeNumber(thresholdBytes, 0) && Object.keys(rest).length === 0;
  }, "true, false or { thresholdBytes: a whole number }"),
  connection: (value) => {
    if (!isRecord(value)) return "an object";
    const ours = ["servers", "port", "timeout", "reconnect"].find((name) => name in value);
    if (ours !== undefined) return `without "${ours}", which the store sets`;
    return "debug" in value && 'without "debug", which logs the credentials';
  },
  connect: aFunction,
  persist: trueOrFalse,
};

const FLUSH_OPTIONS: Checks<Pick<StoreOptions, "signal">> = { signal };
const DELETE_OPTIONS: Checks<DeleteOptions> = { ifVersion: version, signal };
const FORMATS: readonly unknown[] = Object.values(KeyFormat);
const STORE_OPTIONS: Checks<StoreOptions> = {
  ...DELETE_OPTIONS,
  format: unless((value) => FORMATS.includes(value), `one of "${FORMATS.join('", "')}"`),
  ttl: unless((value) => value === null || isTtl(value), `null or ${TTL}`),
  tags: unless((value) => Array.isArray(value) && Array.from(value as unknown[]).every(isTag), "an array of well-formed strings"),
};
const BULK_OPTIONS: Checks<BulkOptions> = { ...STORE_OPTIONS, onProgress: aFunction };
const RETRIEVE_OPTIONS: Checks<RetrieveOptions> = { useCache: trueOrFalse, signal };
const LIST_OPTIONS: Checks<{ tag?: string }> = { tag: unless(isTag, "a well-formed string") };

const NO_OPTIONS = {};

/** @param see where the options are documented */
function checked<Options extends object>(options: unknown, checks: Checks<Options>, see: string): Options {
  // Every read from memory passes here.
  if (options === undefined) return NO_OPTIONS as Options;
  if (!isRecord(options)) throw new KeyStoreError("INVALID_OPTION", `The options must be an object. See ${see}.`);
  const result: Record<string, unknown> = {};
  for (const [option, value] of Object.entries(options)) {
    const refuse = (problem: string): never => {
      throw new KeyStoreError("INVALID_OPTION", problem, { option });
    };
    if (!Object.hasOwn(checks, option)) refuse(`Unknown option "${option}". See ${see}.`);
    if (value === undefined) continue;
    const expected = checks[option as keyof Options](value);
    if (expected) refuse(`The option "${option}" must be ${expected}.`);
    result[option] = value;
  }
  return result as Options;
}

/** The caller may change the array while the write waits. */
function withOwnTags<T extends StoreOptions>(options: T): T {
  return options.tags === undefined ? options : { ...options, tags: [...options.tags] };
}

function unless(isValid: (value: unknown) => boolean, expected: string): Check {
  return (value) => !isValid(value) && expected;
}

function wholeNumber(least: number): Check {
  return unless((value) => isWholeNumber(value, least), `a whole number of at least ${least}`);
}

function milliseconds(least: number): Check {
  return unless(
    (value) => typeof value === "number" && value >= least && value <= MAX_TIMER_MS,
    `a number of milliseconds from ${least} to ${MAX_TIMER_MS}`,
  );
}

function isWholeNumber(value: unknown, least: number): boolean {
  return Number.isSafeInteger(value) && (value as number) >= least;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isWebSocketUrl(value: unknown): boolean {
  return typeof value === "string" && /^wss?:\/\/\S+$/i.test(value) && URL.canParse(value);
}
