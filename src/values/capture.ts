import { KeyFormat, type Payload } from "../model/metadata.ts";
import type { CapturedValue } from "./captured-value.ts";
import { encode } from "./encode.ts";
import { snapshot } from "./snapshot.ts";

/**
 * Captures a value in the call itself, by encoding it. Never throws: the captured value does, where the format cannot keep the value.
 * @param format undefined: that of the key, which is known once earlier writes are done. Most keys have the default format
 */
export function capture(key: string, value: unknown, format: unknown): CapturedValue {
  const early = format ?? KeyFormat.JSON;
  const copy = format === undefined ? snapshot(value) : value;
  let payload: Payload | Promise<Payload>;
  let error: unknown;
  try {
    payload = encode(key, value, early as KeyFormat);
    // The call may be refused for another reason first.
    if (payload instanceof Promise) payload.catch(() => undefined);
  } catch (cause) {
    // The key may have another format, which keeps the value.
    error = cause;
  }
  return (known) => {
    if (known !== early) return encode(key, copy, known);
    if (error !== undefined) throw error;
    return payload;
  };
}
