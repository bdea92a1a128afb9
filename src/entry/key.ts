import { KeyStoreError } from "../errors.ts";

const MAX_KEY_BYTES = 1024;
const MAX_NAMESPACE_BYTES = 255;
/** Servers hang up at a control line of more than 4,096 bytes; what else is in one has less than a hundred. */
const MAX_SUBJECT_BYTES = 4_000;

const LONE_SURROGATE = /\p{Surrogate}/u;
/** What may not stand in a subject token as itself: control characters, white space, `.`, `*`, `>`, and `%`, the escape. */
const UNSAFE_IN_TOKEN = /[\p{Cc}\s.*>%]/gu;
const NAMESPACE = /^(?!\$)[^\p{Cc}\s.*>]+(?:\.[^\p{Cc}\s.*>]+)*$/u;
/** A finished subject: tokens with nothing in them that NATS reads as protocol or as a wildcard. */
const SUBJECT = /^_kv(?:\.[^\p{Cc}\s.*>]+){3,}$/u;

const utf8 = new TextEncoder();

export function isWellFormed(text: string): boolean {
  return !LONE_SURROGATE.test(text);
}

/** @throws KeyStoreError INVALID_KEY */
export function assertKey(key: unknown): asserts key is string {
  const problem =
    typeof key !== "string" ? `A key must be a string, not ${key === null ? "null" : typeof key}.`
    : key === "" ? "A key must have at least one character."
    : !isWellFormed(key) ? "A key must be well-formed: this one has half of a surrogate pair. Use toWellFormed()."
    : isLongerThan(key, MAX_KEY_BYTES) ? `A key has at most ${MAX_KEY_BYTES} UTF-8 bytes, this one has ${byteLength(key)}.`
    : undefined;
  if (problem === undefined) return;
  throw new KeyStoreError("INVALID_KEY", problem, { key: typeof key === "string" ? key : undefined });
}

/** @throws KeyStoreError INVALID_OPTION */
export function assertNamespace(namespace: unknown): asserts namespace is string {
  const valid =
    typeof namespace === "string" &&
    NAMESPACE.test(namespace) &&
    isWellFormed(namespace) &&
    !isLongerThan(namespace, MAX_NAMESPACE_BYTES);
  if (valid) return;
  throw new KeyStoreError(
    "INVALID_OPTION",
    `namespace must be one or more NATS subject tokens joined by dots, at most ${MAX_NAMESPACE_BYTES} bytes: ` +
      'no white space, control characters, "*", ">", empty tokens, or leading "$".',
  );
}

/** The subject of a key: `_kv.<namespace>.key.<token>`. Injective and reversible; `user:123` reads as itself. */
export function subjectOf(namespace: string, key: string): string {
  return `_kv.${namespace}.key.${key.replace(UNSAFE_IN_TOKEN, percentEncode)}`;
}

/** The key that `subject` stands for, or undefined when no key of the namespace maps to it. */
export function keyOfSubject(namespace: string, subject: string): string | undefined {
  const prefix = `_kv.${namespace}.key.`;
  if (!subject.startsWith(prefix)) return undefined;
  try {
    const key = decodeURIComponent(subject.slice(prefix.length));
    assertKey(key);
    return subjectOf(namespace, key) === subject ? key : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a subject can be handed to a NATS client, which checks nothing itself (nats.ws 1.30.3). */
export function isSafeSubject(subject: string): boolean {
  return SUBJECT.test(subject) && !isLongerThan(subject, MAX_SUBJECT_BYTES);
}

function percentEncode(character: string): string {
  let encoded = "";
  for (const byte of utf8.encode(character)) encoded += `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  return encoded;
}

/** Whether a text has more UTF-8 bytes; counts them only where the number of UTF-16 units leaves that open. */
function isLongerThan(text: string, bytes: number): boolean {
  return text.length * 3 > bytes && byteLength(text) > bytes;
}

function byteLength(text: string): number {
  return utf8.encode(text).length;
}
