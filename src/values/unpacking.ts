import { KeyStoreError } from "../util/errors.ts";
import { lazy } from "./lazy.ts";
import { bytesOf, sha256 } from "./checksum.ts";
import { KeyFormat, type Payload } from "../model/metadata.ts";
import type { EntryRow } from "../model/row.ts";

/** A decoder would drop a byte order mark that the text begins with. */
const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * The payload of a row that may be damaged, checked before anything is made of it.
 * @throws KeyStoreError CHECKSUM_MISMATCH, DECODE_FAILED
 */
export async function readPayload(key: string, row: EntryRow): Promise<Payload> {
  const { payload, encoding, size } = row;
  if (typeof payload !== "string" && !(payload instanceof Uint8Array)) throw damaged(key);
  if (encoding === undefined) {
    const bytes = bytesOf(payload);
    if (bytes.length !== size || (await sha256(bytes)) !== row.checksum) throw damaged(key);
    return payload;
  }

  if (typeof payload === "string" || (await sha256(payload)) !== row.storedChecksum) throw damaged(key);
  const { gunzip } = await lazy.compression();
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = gunzip(payload, size);
  } catch (cause) {
    throw new KeyStoreError("DECODE_FAILED", "The stored payload cannot be unpacked: store the key anew.", { key, cause });
  }
  if ((await sha256(bytes)) !== row.checksum) throw damaged(key);
  return row.format === KeyFormat.BINARY ? bytes : utf8.decode(bytes);
}

function damaged(key: string): KeyStoreError {
  return new KeyStoreError(
    "CHECKSUM_MISMATCH",
    "What is stored under this key is damaged: its checksum does not match. Store it anew or delete it.",
    { key },
  );
}
