import { lazy } from "../lazy.ts";

/** Compressed input is unpacked in pieces of this size: deflate expands at most 1,032 times, so a piece stays below 9 MB. */
const CHUNK_BYTES = 8192;

/** Gzip, the same bytes for the same input: no time stamp. */
export async function gzip(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const { gzipSync } = await lazy.fflate();
  return gzipSync(bytes, { mtime: 0 });
}

/**
 * Unpacks what claims to be `size` bytes; stops as soon as it turns out to be more.
 * @throws RangeError when it is not exactly `size` bytes, or whatever fflate says of malformed input
 */
export async function gunzip(packed: Uint8Array, size: number): Promise<Uint8Array<ArrayBuffer>> {
  const { Gunzip } = await lazy.fflate();
  const pieces: Uint8Array[] = [];
  let length = 0;
  const stream = new Gunzip((piece) => {
    length += piece.length;
    if (length > size) throw new RangeError(`more than the ${size} bytes declared`);
    pieces.push(piece);
  });
  for (let at = 0; at < packed.length; at += CHUNK_BYTES) {
    stream.push(packed.subarray(at, at + CHUNK_BYTES), at + CHUNK_BYTES >= packed.length);
  }
  if (length !== size) throw new RangeError(`${length} bytes instead of the ${size} declared`);

  // Only now, so that a declared size alone never allocates anything.
  const bytes = new Uint8Array(size);
  let offset = 0;
  for (const piece of pieces) {
    bytes.set(piece, offset);
    offset += piece.length;
  }
  return bytes;
}
