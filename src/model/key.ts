import { KeyStoreError } from "../util/errors.ts";
import { bytesOf } from "../util/utf8.ts";

const MAX_KEY_BYTES = 1024;
const MAX_NAMESPACE_BYTES = 255;

const LONE_SURROGATE = /\p{Surrogate}/u;
const NAMESPACE = /^(?!\$)[^\p{Cc}\s.*>]+(?:\.[^\p{Cc}\s.*>]+)*$/u;

export function isWellFormed(text: string): boolean {
  return !LONE_SURROGATE.test(text);
}

/** @throws KeyStoreError INVALID_KEY */
export function assertKey(key: unknown): asserts key is string {
  if (typeof key === "string" && key !== "" && isWellFormed(key) && !isLongerThan(key, MAX_KEY_BYTES)) return;
  const message = `A key must be a well-formed string (see toWellFormed) of 1 to ${MAX_KEY_BYTES} UTF-8 bytes.`;
  throw new KeyStoreError("INVALID_KEY", message, { key: typeof key === "string" ? key : undefined });
}

/** Completes the sentence "The namespace must be …" where it is invalid. */
export function namespaceProblem(namespace: unknown): string | false {
  const isValid =
    typeof namespace === "string" && NAMESPACE.test(namespace) && isWellFormed(namespace) && !isLongerThan(namespace, MAX_NAMESPACE_BYTES);
  return (
    !isValid && `NATS subject tokens joined by dots, at most ${MAX_NAMESPACE_BYTES} bytes, without wildcards, white space or a leading "$"`
  );
}

/** Whether a text has more UTF-8 bytes. Encodes it only where the number of UTF-16 units leaves that open. */
export function isLongerThan(text: string, bytes: number): boolean {
  return text.length * 3 > bytes && bytesOf(text).length > bytes;
}
