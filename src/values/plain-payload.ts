import type { Payload } from "../model/metadata.ts";
import type { StoredPayload } from "../model/row.ts";
import { bytesOf } from "../util/utf8.ts";
import { verifyChecksum } from "./checksum.ts";

/** stored payload → checksum → payload, of a payload that is neither compressed nor encrypted. The row may hold anything. @throws KeyStoreError CHECKSUM_MISMATCH */
export async function readPlain(key: string, { payload, size, checksum }: StoredPayload): Promise<Payload> {
  const bytes = typeof payload === "string" || payload instanceof Uint8Array ? bytesOf(payload) : undefined;
  await verifyChecksum(key, bytes?.length === size ? bytes : undefined, checksum);
  return payload;
}
