import { KeyStoreError } from "../util/errors.ts";

const MAX_KEY_BYTES = 1024;
const MAX_NAMESPACE_BYTES = 255;

const LONE_SURROGATE = /\p{Surrogate}/u;
const NAMESPACE = /^(?!\$)[^\p{Cc}\s.*>]+(?:\.[^\p{Cc}\s.*>]+)*$/u;

const utf8 = new TextEncoder();

export function isWellFormed(text: string): boolean {
  return !LONE_SURROGATE.test(text);
}

/** @throws KeyStoreError INVALID_KEY */
export function assertKey(key: unknown): asserts key is string {
  const problem =
    typeof key !== "string"
      ? `A key must be a string, not ${key === null ? "null" : typeof key}.`
      : key === ""
        ? "A key must have at least one character."
        : !isWellFormed(key)
          ? "A key must be well-formed: this one has half of a surrogate pair. Use toWellFormed()."
          : isLongerThan(key, MAX_KEY_BYTES)
            ? `A key has at most ${MAX_KEY_BYTES} UTF-8 bytes, this one has ${byteLength(key)}.`
            : undefined;
  if (problem === undefined) return;
  throw new KeyStoreError("INVALID_KEY", problem, { key: typeof key === "string" ? key : undefined });
}

/** @throws KeyStoreError INVALID_OPTION */
export function assertNamespace(namespace: unknown): asserts namespace is string {
  const valid =
    typeof namespace === "string" && NAMESPACE.test(namespace) && isWellFormed(namespace) && !isLongerThan(namespace, MAX_NAMESPACE_BYTES);
  if (valid) return;
  throw new KeyStoreError(
    "INVALID_OPTION",
    `The option "namespace" must be one or more NATS subject tokens joined by dots, at most ${MAX_NAMESPACE_BYTES} bytes: ` +
      'no white space, control characters, "*", ">", empty tokens, or leading "$".',
  );
}

/** Whether a text has more UTF-8 bytes; counts them only where the number of UTF-16 units leaves that open. */
export function isLongerThan(text: string, bytes: number): boolean {
  return text.length * 3 > bytes && byteLength(text) > bytes;
}

function byteLength(text: string): number {
  return utf8.encode(text).length;
}
