/** Parts of keys that other stores handle wrongly. */
const PIECES = [
  "\r\n",
  "\r",
  "\n",
  "\0",
  " ",
  "\t",
  "\v",
  "\f",
  ".",
  "..",
  "*",
  ">",
  "_kv.",
  ".key.",
  "%",
  "%20",
  "%2e",
  "%2E",
  "%25",
  "'",
  '"',
  "`",
  "\\",
  "\\r\\n",
  "\\x20",
  "/",
  "?",
  "#",
  "&",
  ":",
  ";",
  ",",
  "|",
  "$",
  "$SYS",
  "~",
  "^",
  "[",
  "]",
  "{",
  "}",
  "<",
  "=",
  "+",
  "-",
  "_",
  "__proto__",
  "constructor",
  "prototype",
  "hasOwnProperty",
  "toString",
  "PUB x 0\r\n\r\n",
  "user:123",
  "a",
  "A",
  "é",
  "e\u0301",
  "ß",
  "İ",
  "\u00a0",
  "\u1680",
  "\u2003",
  "\u200b",
  "\u2028",
  "\u2029",
  "\u202f",
  "\u205f",
  "\u3000",
  "\ufeff",
  "\u0085",
  "\u007f",
  "\u009f",
  "\u00ad",
  "\ue000",
  "\ufffd",
  "\uffff",
  "日本",
  "😀",
  "👩‍👩‍👧",
  "𐀀",
  "\u{10ffff}",
  "\u{1f1e6}",
];

/** Distinct keys, the same ones for the same seed: first each of the parts alone, then combinations, some of 1,024 bytes. */
export function generateKeys(count: number, seed: number): string[] {
  const random = mulberry32(seed);
  const piece = () => PIECES[Math.floor(random() * PIECES.length)] ?? "";
  const keys = new Set(PIECES);
  for (const one of [" ", "%", "a", "\u3000", "é", "😀"]) keys.add(filledUp("", one));
  while (keys.size < count) {
    const length = 1 + Math.floor(random() * 8);
    const key = Array.from({ length }, piece).join("");
    keys.add(random() < 0.02 ? filledUp(key, piece()) : key);
  }
  return [...keys];
}

/** Extends a key to exactly 1,024 bytes. */
function filledUp(key: string, piece: string): string {
  const missing = 1024 - Buffer.byteLength(key);
  const whole = Math.floor(missing / Buffer.byteLength(piece));
  return key + piece.repeat(whole) + "x".repeat(missing - whole * Buffer.byteLength(piece));
}

function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
