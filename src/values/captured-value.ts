import { encode } from "./codec.ts";
import { KeyFormat, type Payload } from "../model/metadata.ts";
import { snapshot } from "./snapshot.ts";

/** A value as it was when the call was made, in the format that it turns out to be stored in. */
export type CapturedValue = (format: KeyFormat) => Payload | Promise<Payload>;

/**
 * Takes a value whose format is known: encodes it.
 * @throws KeyStoreError INVALID_VALUE
 */
export function captureAs(format: KeyFormat, key: string, value: unknown): CapturedValue {
  const encoding = encode(key, value, format);
  // The call may be refused for another reason first.
  if (encoding instanceof Promise) encoding.catch(() => undefined);
  return () => encoding;
}

/**
 * Takes a value that is to be stored in the format that its key has, which is known only when earlier writes are done. Most
 * likely it is the default. Throws nothing; what JSON refuses is thrown once that is the format.
 */
export function captureForUpdate(key: string, value: unknown): CapturedValue {
  const copy = snapshot(value);
  const asJson = attempt(() => encode(key, value, KeyFormat.JSON));
  return (format) => (format === KeyFormat.JSON ? asJson() : encode(key, copy, format));
}

/** Does something now, and gives or throws later what came of it. */
function attempt<T>(work: () => T): () => T {
  try {
    const result = work();
    return () => result;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}
