import { isWellFormed, namespaceProblem } from "../model/key.ts";
import { isStandardSchema } from "../model/standard-schema.ts";
import { isCount } from "../util/count.ts";
import { clip, KeyStoreError, messageOf } from "../util/errors.ts";
import { tagOf } from "../util/tag.ts";
import { areKeys } from "../values/key-source.ts";
import type { KeyStoreOptions, WatchOptions } from "./types.ts";

/** Browsers fire a longer timer at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;
/** Keeps `expiresAt` in the range of a Date. */
const MAX_TTL_SECONDS = 1e12;

/** Completes the sentence "The option must be …" where the value is invalid. */
type Check = (value: unknown) => string | false | undefined;

export const TTL = "a number of seconds above 0 and at most 1e12";
export const isTtl = (value: unknown): boolean => typeof value === "number" && value > 0 && value <= MAX_TTL_SECONDS;
export const isTag = (value: unknown): boolean => typeof value === "string" && isWellFormed(value);
export const aFunction = unless((value) => typeof value === "function", "a function");
export const trueOrFalse = unless((value) => typeof value === "boolean", "true or false");
export const signal = unless((value) => tagOf(value) === "[object AbortSignal]", "an AbortSignal");

// Each reader checks the options of the constructor or of a call, and drops those that are undefined. It throws INVALID_OPTION. Those of late
// operations: late-checks.ts.
export const readKeyStoreOptions = reader<KeyStoreOptions>("KeyStoreOptions", {
  servers: unless((value) => {
    const list: unknown[] = Array.isArray(value) ? Array.from(value as unknown[]) : [value];
    return list.length > 0 && list.every(isWebSocketUrl);
  }, "ws:// or wss:// URLs"),
  namespace: namespaceProblem,
  cacheSize: wholeNumber(0),
  maxEntries: wholeNumber(1),
  maxBytes: wholeNumber(1),
  maxPayloadBytes: wholeNumber(1),
  defaultTtl: unless(isTtl, TTL),
  sweepIntervalMs: milliseconds(0),
  lingerMs: milliseconds(0),
  timeoutMs: milliseconds(1),
  compression: unless(
    (value) => typeof value === "boolean" || hasMembers(value, { thresholdBytes: isCount }),
    "true, false or { thresholdBytes: a whole number }",
  ),
  connection: (value) => {
    if (!isRecord(value)) return "an object";
    const ours = ["servers", "port", "timeout", "reconnect", "debug"].find((name) => name in value);
    return ours && `without "${ours}", which ${ours === "debug" ? "logs the credentials" : "the store sets"}`;
  },
  connect: aFunction,
  encryption: unless(
    (value) => hasMembers(value, { key: areKeys, messages: (messages = false) => typeof messages === "boolean" }),
    "{ key, messages? } with AES-GCM keys",
  ),
  schemas: unless((value) => isRecord(value) && Object.values(value).every(isStandardSchema), "an object of Standard Schemas"),
  migrate: aFunction,
  durable: unless(
    (value) =>
      typeof value === "boolean" ||
      hasMembers(value, {
        stream: (name = "-") => typeof name === "string" && /^[^\s.*>/\\]+$/.test(name),
        replicas: isPositive,
        history: isPositive,
        pullEveryMs: (ms = 0) => !milliseconds(0)(ms),
      }),
    "true, false or valid DurableOptions",
  ),
  persist: trueOrFalse,
});
export const readWatchOptions = reader<WatchOptions>("WatchOptions", { signal });

/** @param see where the options are documented */
export function reader<Options extends object>(see: string, checks: Readonly<Record<keyof Options, Check>>): (options: unknown) => Options {
  const none = {} as Options;
  return (options) => {
    // Every read from memory passes here.
    if (options === undefined) return none;
    const copy = copyOptions(options);
    if (!isRecord(copy)) throw invalidOption(`The options must be an object. See ${see}.`);
    const result: Record<string, unknown> = {};
    for (const [option, value] of Object.entries(copy)) {
      if (!Object.hasOwn(checks, option)) throw invalidOption(`Unknown option "${clip(option)}". See ${see}.`, option);
      if (value === undefined) continue;
      const expected = checks[option as keyof Options](value);
      if (expected) throw invalidOption(`The option "${option}" must be ${expected}.`, option);
      result[option] = value;
    }
    return result as Options;
  };
}

/**
 * A copy of options, and of the lists and objects in them: their caller may change them after the call. Any other value stays as it is.
 * @throws KeyStoreError INVALID_OPTION
 */
export function copyOptions(options: unknown): unknown {
  let option: string | undefined;
  try {
    if (!isRecord(options) || Symbol.iterator in options || Symbol.asyncIterator in options) return options;
    // Without a prototype, `__proto__` is a name like any other.
    const copy = Object.create(null) as Record<string, unknown>;
    for (option of Object.keys(options)) {
      const value = options[option];
      copy[option] = Array.isArray(value)
        ? [...(value as unknown[])]
        : tagOf(value) === "[object Object]"
          ? { ...(value as object) }
          : value;
    }
    return copy;
  } catch (cause) {
    // A getter or a proxy of the caller may throw anything.
    throw invalidOption(`The options cannot be read (${messageOf(cause)}). Pass a plain object.`, option, cause);
  }
}

export function invalidOption(message: string, option?: string, cause?: unknown): KeyStoreError {
  return new KeyStoreError("INVALID_OPTION", message, { option, cause });
}

export function unless(isValid: (value: unknown) => unknown, expected: string): Check {
  return (value) => !isValid(value) && expected;
}

export function wholeNumber(least: number): Check {
  return unless((value) => isCount(value) && value >= least, `a whole number of at least ${least}`);
}

function milliseconds(least: number): Check {
  return unless(
    (value) => typeof value === "number" && value >= least && value <= MAX_TIMER_MS,
    `a number of milliseconds from ${least} to ${MAX_TIMER_MS}`,
  );
}

/** Whether a value is an object whose members, absent ones included, pass their checks. It may have no others. */
function hasMembers(value: unknown, checks: Readonly<Record<string, (member: unknown) => boolean>>): boolean {
  return isRecord(value) && Object.keys({ ...checks, ...value }).every((name) => Object.hasOwn(checks, name) && checks[name]!(value[name]));
}

/** Whether a count of at least 1 is given, or none. */
function isPositive(count: unknown = 1): boolean {
  return !wholeNumber(1)(count);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isWebSocketUrl(value: unknown): boolean {
  return typeof value === "string" && /^wss?:\/\/\S+$/i.test(value) && URL.canParse(value);
}
