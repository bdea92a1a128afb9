import { KeyFormat, type Payload } from "../model/metadata.ts";
import { encode } from "./pipeline.ts";
import { snapshot } from "./snapshot.ts";

/** A value as it was at the time of the call. Encodes it in the format of its key. */
export type CapturedValue = (format: KeyFormat) => Payload | Promise<Payload>;

/** Captures a value whose format is known. @throws KeyStoreError INVALID_VALUE */
export function captureAs(format: KeyFormat, key: string, value: unknown): CapturedValue {
  const encoding = encode(key, value, format);
  // The call may be refused for another reason first.
  if (encoding instanceof Promise) encoding.catch(() => undefined);
  return () => encoding;
}

/**
 * Captures a value whose format is that of its key, which is known once earlier writes are done. Most keys have the default
 * format. Never throws: the captured value is refused when it is encoded.
 */
export function captureForUpdate(key: string, value: unknown): CapturedValue {
  const copy = snapshot(value);
  const asJson = new Promise<Payload>((resolve) => resolve(encode(key, value, KeyFormat.JSON)));
  // The key may have another format, which keeps the value.
  asJson.catch(() => undefined);
  return (format) => (format === KeyFormat.JSON ? asJson : encode(key, copy, format));
}
