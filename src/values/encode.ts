import { isWellFormed } from "../model/key.ts";
import { KeyFormat, type Payload } from "../model/metadata.ts";
import { KeyStoreError, messageOf } from "../util/errors.ts";
import { tagOf } from "../util/tag.ts";
import { structuredPart } from "./formats.ts";
import { encodeJson } from "./json.ts";
import { snapshot } from "./snapshot.ts";

/**
 * Captures the value in the call itself. A promise only for the bytes of a Blob and for the first structured value of a page.
 * @throws KeyStoreError INVALID_VALUE
 */
export function encode(key: string, value: unknown, format: KeyFormat): Payload | Promise<Payload> {
  switch (format) {
    case KeyFormat.JSON:
      return encodeJson(key, { "": value });
    case KeyFormat.TEXT:
      return encodeText(key, value);
    case KeyFormat.BINARY:
      return encodeBinary(key, value);
    case KeyFormat.STRUCTURED: {
      if (structuredPart.loaded !== undefined) return structuredPart.loaded.encodeStructured(key, value);
      const copy = snapshot(value);
      return structuredPart.load().then(({ encodeStructured }) => encodeStructured(key, copy));
    }
  }
}

/** Encodes a snapshot, taken for the format, of an object that has the value under the name "". @throws KeyStoreError INVALID_VALUE */
export function encodeCopy(key: string, copy: { readonly "": unknown }, format: KeyFormat): Payload | Promise<Payload> {
  return format === KeyFormat.JSON ? encodeJson(key, copy) : encode(key, copy[""], format);
}

function encodeText(key: string, value: unknown): string {
  if (typeof value !== "string") throw invalid(key, `The format "text" takes a string, not ${kindOf(value)}.`);
  if (!isWellFormed(value)) throw invalid(key, "The string is not well-formed: it has half of a surrogate pair. Use toWellFormed().");
  return value;
}

function encodeBinary(key: string, value: unknown): Uint8Array<ArrayBuffer> | Promise<Uint8Array<ArrayBuffer>> {
  const unreadable = (cause: unknown): never => {
    throw invalid(key, `The bytes cannot be read: ${messageOf(cause)}. Pass a copy.`, cause);
  };
  try {
    if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength).slice();
    // Tags are the same in each realm, classes are not.
    const tag = tagOf(value);
    if (tag === "[object ArrayBuffer]") return new Uint8Array((value as ArrayBuffer).slice(0));
    if (tag === "[object Blob]" || tag === "[object File]") {
      return (value as Blob).arrayBuffer().then((buffer) => new Uint8Array(buffer), unreadable);
    }
  } catch (cause) {
    // The buffer was transferred to a worker, or the value is a revoked proxy.
    return unreadable(cause);
  }
  throw invalid(key, `The format "binary" takes an ArrayBuffer, a view on one, or a Blob, not ${kindOf(value)}.`);
}

function invalid(key: string, message: string, cause?: unknown): KeyStoreError {
  return new KeyStoreError("INVALID_VALUE", message, { key, cause });
}

function kindOf(value: unknown): string {
  return value === null ? "null" : `a value of type ${typeof value}`;
}
