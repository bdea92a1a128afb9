import { Gunzip, Gzip, gzipSync } from "fflate";

/** Input is read in pieces of this size. Deflate expands at most 1,032 times, so a piece stays below 9 MB. */
const CHUNK_BYTES = 8192;
/** Header and trailer. */
const MIN_GZIP_BYTES = 18;

/** Without a time stamp: the same input gives the same bytes. */
const OPTIONS = { mtime: 0 };

/** @param maxBytes stops when the result is larger. It is incomplete then */
export function gzip(bytes: Uint8Array<ArrayBuffer>, maxBytes = Infinity): Uint8Array<ArrayBuffer> {
  if (bytes.length <= maxBytes) return gzipSync(bytes, OPTIONS);
  const pieces: Uint8Array[] = [];
  let length = 0;
  const stream = new Gzip(OPTIONS, (piece) => {
    length += piece.length;
    pieces.push(piece);
  });
  for (let at = 0; at < bytes.length && length <= maxBytes; at += CHUNK_BYTES) {
    stream.push(bytes.subarray(at, at + CHUNK_BYTES), at + CHUNK_BYTES >= bytes.length);
  }
  return joined(pieces, length);
}

/**
 * Decompresses to exactly `size` bytes. Stops as soon as there are more.
 * @throws RangeError if there are more or less bytes, and errors of fflate for malformed input
 */
export function gunzip(compressed: Uint8Array, size: number): Uint8Array<ArrayBuffer> {
  // fflate 0.8 ignores the trailer, and so accepts a stream that is cut off near its end.
  if (statedSize(compressed) !== size % 2 ** 32) throw new RangeError(`not the ${size} bytes declared`);
  const pieces: Uint8Array[] = [];
  let length = 0;
  const stream = new Gunzip((piece) => {
    length += piece.length;
    if (length > size) throw new RangeError(`more than the ${size} bytes declared`);
    pieces.push(piece);
  });
  for (let at = 0; at < compressed.length; at += CHUNK_BYTES) {
    stream.push(compressed.subarray(at, at + CHUNK_BYTES), at + CHUNK_BYTES >= compressed.length);
  }
  if (length !== size) throw new RangeError(`${length} bytes instead of the ${size} declared`);

  // Must come last: a declared size alone must not allocate anything.
  return joined(pieces, size);
}

function joined(pieces: readonly Uint8Array[], size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  let offset = 0;
  for (const piece of pieces) {
    bytes.set(piece, offset);
    offset += piece.length;
  }
  return bytes;
}

/** The size in the trailer, modulo 2^32 (RFC 1952, ISIZE). */
function statedSize(compressed: Uint8Array): number | undefined {
  if (compressed.length < MIN_GZIP_BYTES) return undefined;
  return new DataView(compressed.buffer, compressed.byteOffset + compressed.length - 4).getUint32(0, true);
}
