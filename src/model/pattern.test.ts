import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compilePattern } from "./pattern.ts";

const matches = (pattern: string, key: string): boolean => compilePattern(pattern).matches(key);
const prefixOf = (pattern: string): string => compilePattern(pattern).prefix;

/** Of few characters, so that patterns and keys meet: special here, or in regular expressions. */
const text = fc.string({ unit: fc.constantFrom(...Array.from("ab-]!^[*?\\.\n😀")), maxLength: 8 });
const literal = fc.string({ unit: "binary" }).map((key) => key.replaceAll(/[*?[]/g, "_"));

describe("compilePattern", () => {
  it("A pattern agrees with fnmatchcase of Python", () => {
    const file = readFileSync(new URL("pattern.vectors.json", import.meta.url), "utf8");
    const vectors = JSON.parse(file) as [pattern: string, key: string, expected: boolean][];
    expect(vectors.length).toBeGreaterThan(3000);
    const wrong = vectors.filter(([pattern, key, expected]) => matches(pattern, key) !== expected);
    expect(wrong).toEqual([]);
  });

  it("A pattern agrees with a naive matcher", () => {
    const pattern = fc.array(fc.constantFrom("*", "?", "a", "b", "[ab]", "[!a]", "😀"), { maxLength: 6 });
    const key = fc.array(fc.constantFrom("a", "b", "😀"), { maxLength: 6 });
    fc.assert(
      fc.property(pattern, key, (tokens, characters) => {
        expect(matches(tokens.join(""), characters.join(""))).toBe(naive(tokens, characters));
      }),
      { numRuns: 2000 },
    );
  });

  it("A pattern without special characters matches itself only", () => {
    fc.assert(
      fc.property(literal, literal, (pattern, other) => {
        expect(matches(pattern, pattern)).toBe(true);
        expect(matches(pattern, other)).toBe(pattern === other);
        expect(prefixOf(pattern)).toBe(pattern);
      }),
    );
  });

  it("A pattern matches every key with *, and with itself in brackets", () => {
    fc.assert(
      fc.property(fc.oneof(text, fc.string({ unit: "binary" })), (key) => {
        expect(matches("*", key)).toBe(true);
        expect(matches(key.replaceAll(/[*?[]/g, "[$&]"), key)).toBe(true);
      }),
    );
  });

  it("A pattern matches lone surrogates as one character each", () => {
    expect(matches("?", "\ud83d")).toBe(true);
    expect(matches("?", "\ude00\ud83d")).toBe(false);
    expect(matches("[\ud800-\udbff]*", "\ud83dx")).toBe(true);
    expect(matches("\ud83d?", "😀")).toBe(false);
  });

  it("A pattern takes time linear in the key", () => {
    const stars = `${"*a".repeat(9)}*b`;
    expect(matches(stars, "a".repeat(50))).toBe(false);
    expect(matches(stars, "a".repeat(100_000))).toBe(false);
    expect(matches(stars, `${"a".repeat(100_000)}b`)).toBe(true);
    // Milliseconds in truth; a matcher that backtracks takes longer than the universe has.
  });
});

describe("The prefix", () => {
  it.each([
    ["user:*", "user:"],
    ["user:?", "user:"],
    ["user:[ab]", "user:"],
    ["*", ""],
    ["", ""],
    ["user:1", "user:1"],
    ["😀*", "😀"],
    ["a[b", "a[b"],
    ["a[b*", "a[b"],
    ["a[]*", "a[]"],
    ["a[!]", "a[!]"],
    ["a]b*", "a]b"],
  ])("The prefix of %j is %j", (pattern, prefix) => {
    expect(prefixOf(pattern)).toBe(prefix);
  });

  it("The prefix starts every key that matches", () => {
    fc.assert(
      fc.property(text, text, (pattern, key) => {
        const prefix = prefixOf(pattern);
        expect(pattern.startsWith(prefix)).toBe(true);
        // The second of the keys is the likelier to match.
        const keys = [key, pattern.replaceAll("*", key)].filter((key) => matches(pattern, key));
        expect(keys.filter((key) => !key.startsWith(prefix))).toEqual([]);
      }),
      { numRuns: 2000 },
    );
  });
});

/** Matches token by token and tries everything: too simple to be wrong, too slow to be used. */
function naive(tokens: string[], characters: string[]): boolean {
  const [token, ...otherTokens] = tokens;
  const [character, ...otherCharacters] = characters;
  if (token === undefined) return character === undefined;
  if (token === "*" && naive(otherTokens, characters)) return true;
  if (character === undefined) return false;
  if (token === "*") return naive(tokens, otherCharacters);
  const isA = character === "a";
  const sets: Record<string, boolean> = { "?": true, "[ab]": isA || character === "b", "[!a]": !isA };
  return (sets[token] ?? token === character) && naive(otherTokens, otherCharacters);
}
