import { KeyFormat, type Payload } from "../model/metadata.ts";
import type { encode, encodeCopy } from "./encode.ts";
import { snapshot } from "./snapshot.ts";

/** A value as it was at the time of the call. Encodes it in the format of its key, once the write side has loaded. */
export type CapturedValue = (format: KeyFormat) => Payload | Promise<Payload>;

/** The functions that encode values, encode.ts. The write side brings them along. */
export const encoding: { loaded: { readonly encode: typeof encode; readonly encodeCopy: typeof encodeCopy } | undefined } = {
  loaded: undefined,
};

/** Captures a value whose format is known. @throws KeyStoreError INVALID_VALUE, unless the captured value does */
export function captureAs(format: KeyFormat, key: string, value: unknown): CapturedValue {
  if (encoding.loaded === undefined) {
    const copy = snapshot({ "": value }, format === KeyFormat.JSON);
    return () => encoding.loaded!.encodeCopy(key, copy, format);
  }
  const payload = encoding.loaded.encode(key, value, format);
  // The call may be refused for another reason first.
  if (payload instanceof Promise) payload.catch(() => undefined);
  return () => payload;
}

/**
 * Captures a value whose format is that of its key, which is known once earlier writes are done. Most keys have the default
 * format. Never throws: the captured value is refused when it is encoded.
 */
export function captureForUpdate(key: string, value: unknown): CapturedValue {
  const copy = snapshot(value);
  const asJson = new Promise<CapturedValue>((resolve) => resolve(captureAs(KeyFormat.JSON, key, value)));
  // The key may have another format, which keeps the value.
  asJson.catch(() => undefined);
  return (format) => (format === KeyFormat.JSON ? asJson.then((captured) => captured(format)) : encoding.loaded!.encode(key, copy, format));
}
