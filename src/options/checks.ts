import { isWellFormed, namespaceProblem } from "../model/key.ts";
import { FORMATS } from "../model/metadata.ts";
import { isCount } from "../util/count.ts";
import { clip, KeyStoreError, messageOf } from "../util/errors.ts";
import { tagOf } from "../util/tag.ts";
import type { BulkOptions, KeyStoreOptions, RetrieveOptions, StoreOptions } from "./types.ts";

/** Browsers fire a longer timer at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;
/** Keeps `expiresAt` in the range of a Date. */
const MAX_TTL_SECONDS = 1e12;

/** Completes the sentence "The option must be …" where the value is invalid. */
type Check = (value: unknown) => string | false | undefined;

const TTL = "a number of seconds above 0 and at most 1e12";
const isTtl = (value: unknown): boolean => typeof value === "number" && value > 0 && value <= MAX_TTL_SECONDS;
export const isTag = (value: unknown): boolean => typeof value === "string" && isWellFormed(value);
const aFunction = unless((value) => typeof value === "function", "a function");
const trueOrFalse = unless((value) => typeof value === "boolean", "true or false");
export const signal = unless((value) => tagOf(value) === "[object AbortSignal]", "an AbortSignal");
const version = wholeNumber(0);

export const DELETE_OPTIONS = { ifVersion: version, signal };
// `every` skips holes. `Array.from` makes each of them undefined.
const STORE_OPTIONS = {
  ...DELETE_OPTIONS,
  format: unless((value) => FORMATS.includes(value), `one of "${FORMATS.join('", "')}"`),
  ttl: unless((value) => value === null || isTtl(value), `null or ${TTL}`),
  tags: unless((value) => Array.isArray(value) && Array.from(value as unknown[]).every(isTag), "an array of well-formed strings"),
};

// Each reader checks the options of the constructor or of a call, and drops those that are undefined. It throws INVALID_OPTION. Those of late
// operations: late-checks.ts.
export const readKeyStoreOptions = reader<KeyStoreOptions>("KeyStoreOptions", {
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
    return isCount(thresholdBytes) && Object.keys(rest).length === 0;
  }, "true, false or { thresholdBytes: a whole number }"),
  connection: (value) => {
    if (!isRecord(value)) return "an object";
    const ours = ["servers", "port", "timeout", "reconnect"].find((name) => name in value);
    if (ours !== undefined) return `without "${ours}", which the store sets`;
    return "debug" in value && 'without "debug", which logs the credentials';
  },
  connect: aFunction,
  persist: trueOrFalse,
});
export const readStoreOptions = reader<StoreOptions>("StoreOptions", STORE_OPTIONS);
export const readBulkOptions = reader<BulkOptions>("BulkOptions", { ...STORE_OPTIONS, onProgress: aFunction });
export const readRetrieveOptions = reader<RetrieveOptions>("RetrieveOptions", { useCache: trueOrFalse, signal });

/** @param see where the options are documented */
export function reader<Options extends object>(see: string, checks: Readonly<Record<keyof Options, Check>>): (options: unknown) => Options {
  const none = {} as Options;
  return (options) => {
    // Every read from memory passes here.
    if (options === undefined) return none;
    const result: Record<string, unknown> = {};
    let option: string | undefined;
    const refuse = (problem: string, cause?: unknown): never => {
      throw new KeyStoreError("INVALID_OPTION", problem, { option, cause });
    };
    try {
      if (!isRecord(options)) return refuse(`The options must be an object. See ${see}.`);
      for (option of Object.keys(options)) {
        const value = options[option];
        if (!Object.hasOwn(checks, option)) refuse(`Unknown option "${clip(option)}". See ${see}.`);
        if (value === undefined) continue;
        const expected = checks[option as keyof Options](value);
        if (expected) refuse(`The option "${option}" must be ${expected}.`);
        // The caller may change an array or an object later.
        result[option] = Array.isArray(value)
          ? [...(value as unknown[])]
          : tagOf(value) === "[object Object]"
            ? { ...(value as object) }
            : value;
      }
    } catch (cause) {
      // A getter or a proxy of the caller may throw anything.
      if (cause instanceof KeyStoreError) throw cause;
      refuse(`The options cannot be read (${messageOf(cause)}). Pass a plain object.`, cause);
    }
    return result as Options;
  };
}

export function unless(isValid: (value: unknown) => boolean, expected: string): Check {
  return (value) => !isValid(value) && expected;
}

function wholeNumber(least: number): Check {
  return unless((value) => isCount(value) && value >= least, `a whole number of at least ${least}`);
}

function milliseconds(least: number): Check {
  return unless(
    (value) => typeof value === "number" && value >= least && value <= MAX_TIMER_MS,
    `a number of milliseconds from ${least} to ${MAX_TIMER_MS}`,
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isWebSocketUrl(value: unknown): boolean {
  return typeof value === "string" && /^wss?:\/\/\S+$/i.test(value) && URL.canParse(value);
}
