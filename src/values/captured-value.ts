import { KeyFormat, type Payload } from "../model/metadata.ts";
import type { encodeCopy } from "./encode.ts";
import { snapshot } from "./snapshot.ts";

/** A value as it was at the time of the call. Encodes it in the format of its key. @throws KeyStoreError INVALID_VALUE */
export type CapturedValue = (format: KeyFormat) => Payload | Promise<Payload>;

interface Encoding {
  /** Encodes the value at once: capture.ts. */
  capture(key: string, value: unknown, format: unknown): CapturedValue;
  readonly encodeCopy: typeof encodeCopy;
}

/** What encodes values. The write side brings it along. */
export const encoding: { loaded: Encoding | undefined } = { loaded: undefined };

/**
 * Captures a value in the call itself. Never throws.
 * @param format undefined: that of the key, which is known later. It may be anything: the write side checks it
 */
export function capture(key: string, value: unknown, format: unknown): CapturedValue {
  if (encoding.loaded !== undefined) return encoding.loaded.capture(key, value, format);
  const [forJson, forOthers] = [true, false].map((isJson) =>
    format === undefined || (format === KeyFormat.JSON) === isJson ? snapshot({ "": value }, isJson) : { "": value },
  );
  return (known) => encoding.loaded!.encodeCopy(key, known === KeyFormat.JSON ? forJson! : forOthers!, known);
}
