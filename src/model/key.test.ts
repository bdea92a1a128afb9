import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { codeOf, errorOf } from "../testing/errors.ts";
import { assertKey, isWellFormed } from "./key.ts";
import { assertNamespace } from "./namespace.ts";
import { isSafeSubject, subjectOf } from "./subject.ts";

const bytesIn = (text: string): number => new TextEncoder().encode(text).length;
const tokenOf = (key: string): string => subjectOf("ns", key).slice("_kv.ns.key.".length);

/** Many characters that have to be escaped, to find collisions. */
const special = fc.constantFrom(...".*>%$_-/ \t\r\n\0\u007F\u0085\u00A0\u2028\u3000\uFEFF", "%2E", "%", "2", "E", "a", "😀");
const key = fc
  .oneof(fc.string({ unit: "binary", minLength: 1, maxLength: 60 }), fc.string({ unit: special, minLength: 1, maxLength: 12 }))
  .filter((text) => text !== "" && isWellFormed(text) && bytesIn(text) <= 1024);
const namespace = fc.constantFrom("default", "a", "a.b", "a.b.key", "key", "größe.😀", "a$", "%41");

/** Every code point that a regular expression matches. */
function codePoints(pattern: RegExp): string[] {
  const found: string[] = [];
  for (let code = 0; code <= 0x10ffff; code++) {
    if (code >= 0xd800 && code <= 0xdfff) continue;
    const character = String.fromCodePoint(code);
    if (pattern.test(character)) found.push(character);
  }
  return found;
}

const UNSAFE = [...codePoints(/[\p{Cc}\s]/u), ".", "*", ">", "%"];

describe("A key", () => {
  it.each([
    ["one character", "a"],
    ["1,024 bytes", "a".repeat(1024)],
    ["1,024 bytes of wide characters", "😀".repeat(256)],
    ["control characters", "\0\r\n\u0085"],
    ["white space only", " "],
    ["a name of Object.prototype", "__proto__"],
  ])("A key may be %s", (_, valid) => {
    expect(() => assertKey(valid)).not.toThrow();
  });

  it.each<[string, unknown]>([
    ["empty", ""],
    ["1,025 bytes", "a".repeat(1025)],
    ["1,025 bytes, though fewer characters", `${"😀".repeat(256)}a`],
    ["half of a surrogate pair", "a\uD83D"],
    ["the other half", "\uDE00"],
    ["null", null],
    ["undefined", undefined],
    ["a number", 1],
    ["a String object", Object("a")],
  ])("A key may not be %s", async (_, invalid) => {
    const error = await errorOf(() => assertKey(invalid));
    expect(error).toMatchObject({
      code: "INVALID_KEY",
      message: expect.stringMatching(/well-formed string .* 1 to 1024 UTF-8 bytes/) as string,
    });
    if (typeof invalid === "string") expect(error.key).toBe(invalid);
  });
});

describe("The subject of a key", () => {
  it.each(["user:123", "a_b", "a/b-c", "größe", "日本", "😀", "$", "_kv", "{}", "a@b,c;d"])(
    "The subject of a key reads as the key itself: %s",
    (readable) => {
      expect(subjectOf("default", readable)).toBe(`_kv.default.key.${readable}`);
    },
  );

  it("The subject of a key escapes characters as UTF-8 in upper-case hex", () => {
    expect(tokenOf("a.b")).toBe("a%2Eb");
    expect(tokenOf("*>%")).toBe("%2A%3E%25");
    expect(tokenOf(" \r\n\0\u007F")).toBe("%20%0D%0A%00%7F");
    expect(tokenOf("\u0085\u00A0\u2028\u3000\uFEFF")).toBe("%C2%85%C2%A0%E2%80%A8%E3%80%80%EF%BB%BF");
  });

  it("The subject of a key escapes every control character, all white space, and . * > %", () => {
    const expected = UNSAFE.map((character) =>
      Array.from(new TextEncoder().encode(character), (byte) => `%${byte.toString(16).padStart(2, "0").toUpperCase()}`).join(""),
    );
    expect(UNSAFE.map(tokenOf)).toEqual(expected);
  });

  it("The subject of a key leaves every other character as it is", () => {
    const unsafe = new Set(UNSAFE);
    const changed = codePoints(/[^]/u).filter((character) => !unsafe.has(character) && tokenOf(character) !== character);
    expect(changed).toEqual([]);
  });

  it("The subject of a key is one token after the namespace, without a byte that NATS reads as protocol or wildcard", () => {
    fc.assert(
      fc.property(namespace, key, (ns, text) => {
        const subject = subjectOf(ns, text);
        expect(subject.startsWith(`_kv.${ns}.key.`)).toBe(true);
        expect(subject.split(".").length).toBe(`_kv.${ns}.key.x`.split(".").length);
        expect(subject).not.toMatch(/[\p{Cc}\s*>]/u);
        expect(isSafeSubject(subject)).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  it("The subject of a key can be decoded to the key", () => {
    fc.assert(
      fc.property(namespace, key, (ns, text) => {
        expect(decodeURIComponent(subjectOf(ns, text).slice(`_kv.${ns}.key.`.length))).toBe(text);
      }),
      { numRuns: 1000 },
    );
  });

  it("The subject of a key differs for keys that differ", () => {
    fc.assert(
      fc.property(key, key, (one, other) => {
        expect(tokenOf(one) === tokenOf(other)).toBe(one === other);
      }),
      { numRuns: 2000 },
    );
    expect(new Set(["a.b", "a_b", "a%2Eb", "a%2eb", "a%252Eb"].map(tokenOf)).size).toBe(5);
  });

  it("The subject of a key fits in a control line of 4,096 bytes with the longest key and namespace", () => {
    expect(bytesIn(subjectOf("n".repeat(255), ".".repeat(1024)))).toBeLessThan(3500);
  });
});

describe("A namespace", () => {
  it.each(["default", "a", "app.users", "a$", "a.$b", "größe.😀", "%41", "_kv", "x".repeat(255), "é".repeat(127)])(
    "A namespace may be %j",
    (valid) => {
      expect(() => assertNamespace(valid)).not.toThrow();
    },
  );

  it.each([
    "",
    ".",
    "a.",
    ".a",
    "a..b",
    "a b",
    " ",
    "a\t",
    "a\n",
    "a\r\nPUB x 0",
    "a\0",
    "a\u0085",
    "a\u00A0b",
    "a\u2028",
    "*",
    "a.*",
    "a*",
    ">",
    "a.>",
    "a>",
    "$SYS",
    "$",
    "x".repeat(256),
    "é".repeat(128),
    "a\uD83D",
    null,
    undefined,
    1,
    {},
    ["a"],
  ])("A namespace may not be %j", async (invalid) => {
    const error = await errorOf(() => assertNamespace(invalid));
    expect(error).toMatchObject({ code: "INVALID_OPTION", option: "namespace" });
    expect(error.message).toMatch(/^The option "namespace" must be/);
  });

  it("A namespace may hold no control character and no white space anywhere", async () => {
    for (const character of UNSAFE) {
      if (character === "%" || character === ".") continue;
      expect(await codeOf(() => assertNamespace(`a${character}b`))).toBe("INVALID_OPTION");
      expect(isSafeSubject(`_kv.ns.key.a${character}b`)).toBe(false);
    }
  });
});

describe("isSafeSubject", () => {
  it.each([
    "",
    "_kv",
    "_kv.",
    "_kv.ns",
    "_kv.ns.key",
    "_kv.ns.key.",
    "_kv..key.a",
    "_kv.ns.key..a",
    ".kv.ns.key.a",
    "kv.ns.key.a",
    "_kv_.ns.key.a",
    "_kv.ns.key.a\r\nPUB evil 0\r\n",
    "_kv.ns.key.a\n",
    "\n_kv.ns.key.a",
    "_kv.ns.key.a reply",
    "_kv.ns.key.a\t",
    "_kv.ns.key.*",
    "_kv.ns.key.>",
    "_kv.*.key.a",
    "_kv.ns.key.a\0",
    "_kv.ns.key.a\u00A0",
    "$SYS.REQ.SERVER.PING",
    "_INBOX.a.b.c",
    "_kv.ns.key.a.",
  ])("isSafeSubject refuses %j", (subject) => {
    expect(isSafeSubject(subject)).toBe(false);
  });

  it.each(["_kv.ns.key.a", "_kv.a.b.key.user:123", "_kv.ns.key.😀", "_kv.ns.key.%25"])("isSafeSubject takes %j", (subject) => {
    expect(isSafeSubject(subject)).toBe(true);
  });

  it("isSafeSubject refuses a subject that is too long for a control line", () => {
    expect(isSafeSubject(`_kv.ns.key.${"a".repeat(4096)}`)).toBe(false);
  });
});
