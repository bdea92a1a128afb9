import { KeyFormat, type Payload } from "../model/metadata.ts";
import { KeyStoreError } from "../util/errors.ts";
import { LazyPart } from "../util/lazy-part.ts";

/** The serializer of the format `structured`. Loads with the first structured value. */
export const structuredPart = new LazyPart(() => import("./structured.ts"));

type Structured = NonNullable<typeof structuredPart.loaded>;

/** A decoded value, in a box: the value may be undefined, or an object with a `then` method. */
export interface Decoded {
  readonly value: unknown;
}

/** A fresh value at each call. A promise only for the first structured value of a page. @throws KeyStoreError DECODE_FAILED */
export function decode(key: string, payload: Payload, format: KeyFormat): Decoded | Promise<Decoded> {
  let cause: unknown;
  if (format === KeyFormat.BINARY) {
    if (typeof payload !== "string") return { value: payload.slice() };
  } else if (typeof payload === "string") {
    if (format === KeyFormat.TEXT) return { value: payload };
    if (format === KeyFormat.STRUCTURED) {
      const decoded = ({ decodeStructured }: Structured): Decoded => ({ value: decodeStructured(key, payload) });
      return structuredPart.loaded ? decoded(structuredPart.loaded) : structuredPart.load().then(decoded);
    }
    try {
      // JSON.parse defines `__proto__` as an own property, it never assigns it.
      if (format === KeyFormat.JSON) return { value: JSON.parse(payload) as unknown };
    } catch (error) {
      cause = error;
    }
  }
  throw new KeyStoreError("DECODE_FAILED", `The stored payload is not valid ${String(format)}. Store or delete the key.`, { key, cause });
}
