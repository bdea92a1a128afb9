import { Gunzip, gzipSync } from "fflate";

/** Compressed input is unpacked in pieces of this size: deflate expands at most 1,032 times, so a piece stays below 9 MB. */
const CHUNK_BYTES = 8192;
/** Header and trailer. */
const MIN_GZIP_BYTES = 18;

/** Gzip, the same bytes for the same input: no time stamp. */
export function gzip(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return gzipSync(bytes, { mtime: 0 });
}

/**
 * Unpacks what claims to be `size` bytes; stops as soon as it turns out to be more.
 * @throws RangeError when it is not exactly `size` bytes, or whatever fflate says of malformed input
 */
export function gunzip(packed: Uint8Array, size: number): Uint8Array<ArrayBuffer> {
  // fflate 0.8 does not look at the trailer: a stream that is cut off near its end would pass.
  if (statedSize(packed) !== size % 2 ** 32) throw new RangeError(`not the ${size} bytes declared`);
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

/** What a gzip file says at its end of its size, modulo 2^32 (RFC 1952, ISIZE). */
function statedSize(packed: Uint8Array): number | undefined {
  if (packed.length < MIN_GZIP_BYTES) return undefined;
  return new DataView(packed.buffer, packed.byteOffset + packed.length - 4).getUint32(0, true);
}
