import { hexOf } from "../util/hex.ts";

/**
 * SHA-256 (FIPS 180-4) without a promise. `crypto.subtle` hashes in another thread: for a small payload, the round trip to
 * that thread takes ten to a hundred times as long as the hash.
 */

/** The first 32 bits of the fractional parts: of the cube roots of the first 64 primes, of the square roots of the first 8. */
const ROUND_CONSTANTS = Int32Array.from(primes(64), (prime) => (Math.cbrt(prime) % 1) * 2 ** 32);
const INITIAL_STATE = Int32Array.from(primes(8), (prime) => (Math.sqrt(prime) % 1) * 2 ** 32);

/** Shared by all calls: none of them is asynchronous. */
const state = new Int32Array(8);
const schedule = new Int32Array(64);
const lastBlocks = new DataView(new ArrayBuffer(128));
const digest = new DataView(new ArrayBuffer(32));

/** @returns 64 hex digits */
export function smallSha256(bytes: Uint8Array): string {
  state.set(INITIAL_STATE);
  const whole = bytes.length - (bytes.length % 64);
  addBlocks(new DataView(bytes.buffer, bytes.byteOffset, whole));

  // The last blocks: the rest of the bytes, a one bit, zeros, and the number of bits.
  const rest = bytes.subarray(whole);
  const length = rest.length < 56 ? 64 : 128;
  const last = new Uint8Array(lastBlocks.buffer, 0, length).fill(0);
  last.set(rest);
  last[rest.length] = 0x80;
  lastBlocks.setUint32(length - 8, bytes.length / 2 ** 29);
  lastBlocks.setUint32(length - 4, bytes.length << 3);
  addBlocks(new DataView(lastBlocks.buffer, 0, length));

  state.forEach((word, index) => digest.setInt32(4 * index, word));
  return hexOf(new Uint8Array(digest.buffer));
}

/** Updates the state with whole blocks of 64 bytes. Names follow the standard. */
function addBlocks(blocks: DataView): void {
  for (let at = 0; at < blocks.byteLength; at += 64) {
    for (let i = 0; i < 16; i++) schedule[i] = blocks.getInt32(at + 4 * i);
    for (let i = 16; i < 64; i++) {
      const x = schedule[i - 15]!,
        y = schedule[i - 2]!;
      const sigma0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
      const sigma1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
      schedule[i] = sigma0 + schedule[i - 7]! + sigma1 + schedule[i - 16]!;
    }
    let a = state[0]!,
      b = state[1]!,
      c = state[2]!,
      d = state[3]!;
    let e = state[4]!,
      f = state[5]!,
      g = state[6]!,
      h = state[7]!;
    for (let i = 0; i < 64; i++) {
      const sum1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
      const choice = g ^ (e & (f ^ g));
      const t1 = (h + sum1 + choice + ROUND_CONSTANTS[i]! + schedule[i]!) | 0;
      const sum0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
      const majority = (a & b) | (c & (a | b));
      h = g;
      g = f;
      f = e;
      e = (d + t1) | 0;
      d = c;
      c = b;
      b = a;
      a = (t1 + sum0 + majority) | 0;
    }
    state[0]! += a;
    state[1]! += b;
    state[2]! += c;
    state[3]! += d;
    state[4]! += e;
    state[5]! += f;
    state[6]! += g;
    state[7]! += h;
  }
}

function primes(count: number): number[] {
  const found: number[] = [];
  for (let n = 2; found.length < count; n++) if (found.every((prime) => n % prime !== 0)) found.push(n);
  return found;
}
