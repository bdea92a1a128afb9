import { KeyStoreError, messageOf } from "../util/errors.ts";
import { lazy } from "./lazy.ts";
import { decodeJson, encodeJson } from "./json.ts";
import { isWellFormed } from "../model/key.ts";
import { KeyFormat, type Payload } from "../model/metadata.ts";
import { snapshot } from "./snapshot.ts";

type Structured = typeof import("./structured.ts");

/** The serializer of `structured`, from its first use on. */
let structured: Structured | undefined;

/**
 * A value as its payload, taken in the call itself: what happens to the value afterwards does not matter. A promise
 * only for a Blob's bytes and for the first structured value of a page.
 * @throws KeyStoreError INVALID_VALUE
 */
export function encode(key: string, value: unknown, format: KeyFormat): Payload | Promise<Payload> {
  switch (format) {
    case KeyFormat.JSON:
      return encodeJson(key, value);
    case KeyFormat.TEXT:
      return encodeText(key, value);
    case KeyFormat.BINARY:
      return encodeBinary(key, value);
    case KeyFormat.STRUCTURED: {
      if (structured !== undefined) return structured.encodeStructured(key, value);
      const copy = snapshot(value);
      return loadStructured().then((module) => module.encodeStructured(key, copy));
    }
  }
}

/**
 * A payload as a fresh value that nobody else holds. A promise only for the first structured value of a page.
 * @throws KeyStoreError DECODE_FAILED
 */
export function decode(key: string, payload: Payload, format: KeyFormat): unknown {
  if (format === KeyFormat.BINARY) {
    if (typeof payload !== "string") return payload.slice();
  } else if (typeof payload === "string") {
    if (format === KeyFormat.JSON) return decodeJson(key, payload);
    if (format === KeyFormat.TEXT) return payload;
    if (format === KeyFormat.STRUCTURED) {
      if (structured !== undefined) return structured.decodeStructured(key, payload);
      return loadStructured().then((module) => module.decodeStructured(key, payload));
    }
  }
  throw new KeyStoreError("DECODE_FAILED", `The stored payload is no ${String(format)}: store the key anew.`, { key });
}

async function loadStructured(): Promise<Structured> {
  return (structured ??= await lazy.structured());
}

function encodeText(key: string, value: unknown): string {
  if (typeof value !== "string") {
    throw new KeyStoreError("INVALID_VALUE", `The format "text" takes a string, not ${kindOf(value)}.`, { key });
  }
  if (!isWellFormed(value)) {
    throw new KeyStoreError(
      "INVALID_VALUE",
      'The format "text" takes well-formed strings: this one has half of a surrogate pair. Use toWellFormed().',
      { key },
    );
  }
  return value;
}

function encodeBinary(key: string, value: unknown): Uint8Array<ArrayBuffer> | Promise<Uint8Array<ArrayBuffer>> {
  const unreadable = (cause: unknown): never => {
    throw new KeyStoreError("INVALID_VALUE", `The bytes cannot be read: ${messageOf(cause)}`, { key, cause });
  };
  if (value instanceof Blob) return value.arrayBuffer().then((buffer) => new Uint8Array(buffer), unreadable);
  try {
    if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength).slice();
    if (Object.prototype.toString.call(value) === "[object ArrayBuffer]") {
      return new Uint8Array((value as ArrayBuffer).slice(0));
    }
  } catch (cause) {
    // Transferred to a worker.
    return unreadable(cause);
  }
  throw new KeyStoreError("INVALID_VALUE", `The format "binary" takes an ArrayBuffer, a view on one, or a Blob, not ${kindOf(value)}.`, {
    key,
  });
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "an array" : `a value of type ${typeof value}`;
}
