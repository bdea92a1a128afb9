import type { Payload } from "../model/metadata.ts";
import type { StoredPayload } from "../model/row.ts";
import type { Digest } from "./checksum.ts";

/** A payload after the compression stage, compressed or not. */
export interface Compressed extends Pick<StoredPayload, "format" | "payload" | "encoding"> {
  /** The payload before compression, as memory keeps it. */
  readonly original: Payload;
  /** Of the original, where its bytes were at hand: text is encoded to UTF-8 once per write, and the bytes are not kept. */
  readonly digest?: Digest;
}
