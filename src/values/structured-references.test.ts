import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decode, encode, expectUndecodable, nested, oneTo } from "../testing/structured.ts";
import { KeyStoreError } from "../util/errors.ts";

describe("Decoding refuses with DECODE_FAILED", () => {
  it.each([
    ["no JSON", "{"],
    ["nothing", ""],
    ["no array", '{"a":0}'],
    ["an empty array", "[]"],
    ["a number that stands for nothing", "5"],
    ["a hole alone", "-2"],
    ["a reference that is no integer", "[[0.5]]"],
    ["a reference that is no number", '[[1,"1"],5]'],
    ["a reference out of range", "[[1]]"],
    ["a negative reference", "[[-8]]"],
    ["a hole outside an array", '[{"a":-2}]'],
    ["a reference right after the end", "[[1]]"],
    ["a sparse mark outside an array", '[{"a":-7}]'],
    ["a nested entry", "[[[[0]]]]"],
    ["a date that is a number", '[["Date",0]]'],
    ["a sloppy date", '[["Date","2020"]]'],
    ["a date that is none", '[["Date","x"]]'],
    ["a BigInt that is a number", '[["BigInt",1]]'],
    ["a BigInt in hex", '[["BigInt","0x10"]]'],
    ["a BigInt of nothing", '[["BigInt",""]]'],
    ["a BigInt of very many digits", `[["BigInt","${"9".repeat(1_000_000)}"]]`],
    ["a RegExp without a source", '[["RegExp",1]]'],
    ["a RegExp of nothing", '[["RegExp"]]'],
    ["a RegExp that is none", '[["RegExp","("]]'],
    ["a RegExp with flags that are none", '[["RegExp","a","xyz"]]'],
    ["a RegExp with flags in an array", '[["RegExp","a",["g"]]]'],
    ["a URL that is a number", '[["URL",1]]'],
    ["search parameters of nothing", '[["URLSearchParams"]]'],
    ["a URL that is none", '[["URL","no url"]]'],
    ["search parameters in an object", '[["URLSearchParams",{"a":"b"}]]'],
    ["base64 with white space", '[["ArrayBuffer","YW\\n=="]]'],
    ["base64 without padding", '[["ArrayBuffer","YQ"]]'],
    ["base64 with dropped bits", '[["ArrayBuffer","YR=="]]'],
    ["base64 with dropped bits after two bytes", '[["ArrayBuffer","YWF="]]'],
    ["base64 of the other alphabet", '[["ArrayBuffer","_-__"]]'],
    ["base64 with padding inside", '[["ArrayBuffer","YQ==YQ=="]]'],
    ["base64 that is a number", '[["ArrayBuffer",5]]'],
    ["a view on a number", '[["Uint8Array",1],4294967295]'],
    ["a view on another view", '[["Uint8Array",0]]'],
    ["a view beyond its buffer", '[["Uint8Array",1,0,4],["ArrayBuffer","YWFh"]]'],
    ["a view from beyond its buffer", '[["DataView",1,4,0],["ArrayBuffer","YWFh"]]'],
    ["a view at a broken offset", '[["Uint8Array",1,0.5,1],["ArrayBuffer","YWFh"]]'],
    ["a view that does not fit", '[["Uint16Array",1],["ArrayBuffer","YWFh"]]'],
    ["a Map with a key too many", '[["Map",1],5]'],
    ["a bare object with a key too many", '[["null","a"]]'],
    ["a bare object with a key that is none", '[["null",1,1],5]'],
    ["__proto__ as a key", '[{"__proto__":1},{"polluted":2},true]'],
    ["__proto__ as a key of a bare object", '[["null","__proto__",1],{"polluted":2},true]'],
    ["a boxed object", '[["Object",1],{}]'],
    ["a box in itself", '[["Object",0]]'],
    ["an unknown type", '[["Temporal.Instant","2020-01-01T00:00:00Z"]]'],
    ["an array of four billion elements", "[[-7,4294967295]]"],
    ["many long ones", `[[${oneTo(30).join()}]${",[-7,900000]".repeat(30)}]`],
    ["a sparse array with an element beyond its length", "[[-7,3,3,1],5]"],
    ["a sparse array of broken length", '[[-7,"3",0,1],5]'],
    ["a sparse array with an index alone", "[[-7,3,0]]"],
  ])("Decoding refuses %s", (_, text) => {
    expectUndecodable(text);
    expect("polluted" in {}).toBe(false);
  });

  it("Decoding refuses nesting deeper than 500 on any path that devalue would take", () => {
    const chain = (n: number): string => `[[${oneTo(n).join("],[")}],"core"]`;
    expect(decode(chain(500))).toEqual(nested(500, (x) => [x]));
    expectUndecodable(chain(501));
    expectUndecodable(chain(100_000));
    expectUndecodable(`${"[".repeat(100_000)}${"]".repeat(100_000)}`);
    // All are near the root, but the first way to the last leads through each of the others.
    const links = `[${oneTo(1001).slice(1).join("],[")}],"core"`;
    expectUndecodable(`[[${oneTo(1000).join()}],${links}]`);
    expect(decode(`[[${oneTo(1000).toReversed().join()}],${links}]`)).toHaveLength(1000);
  });

  it("Decoding refuses too many values, even if it is one value many times", () => {
    const all = (n: number): string => `[[${Array.from({ length: n }, () => 1).join()}],"x"]`;
    expect(decode(all(999_999))).toHaveLength(999_999);
    expectUndecodable(all(1_000_000));
    expectUndecodable(`"${" ".repeat(64 * 1024 * 1024)}"`);
  });

  it("Decoding a mutated text either succeeds or throws DECODE_FAILED", () => {
    const shared = { a: [1, 2.5, -0, "é<\u2028"], when: new Date(0) };
    const texts = [
      encode({ shared, again: [shared, shared.a], map: new Map([[shared, new Set<unknown>([1n, /x/g])]]) }),
      encode([new Uint8Array([1, 2, 3]), new Float64Array(2), new DataView(new ArrayBuffer(3)), Object(5)]),
      encode(new AggregateError([new TypeError("a", { cause: shared }), new DOMException("b", "c")], "d")),
      encode(Object.assign([], { 1: 0, 900: Object.assign(Object.create(null), { url: new URL("a:b") }) })),
    ];
    interface Mutation {
      at: number;
      what: string;
      character: string;
      number: number;
    }
    const mutation: fc.Arbitrary<Mutation> = fc.record({
      at: fc.nat(),
      what: fc.constantFrom("insert", "replace", "delete", "number", "number"),
      character: fc.constantFrom(...Array.from('[]{},:"\\-0179.eE _=Aa\u0000')),
      number: fc.oneof(fc.integer({ min: -9, max: 30 }), fc.constantFrom(-0.5, 1e9, 2 ** 32 - 1, -1e300)),
    });
    const mutations = fc.array(mutation, { minLength: 1, maxLength: 3 });
    const mutate = (text: string, { at, what, character, number }: Mutation): string => {
      const start = at % text.length;
      if (what === "number") return text.slice(0, start) + text.slice(start).replace(/-?\d+/, String(number));
      const end = what === "insert" ? start : start + 1;
      return text.slice(0, start) + (what === "delete" ? "" : character) + text.slice(end);
    };
    const outcomes = { decoded: 0, failed: 0 };
    fc.assert(
      fc.property(fc.constantFrom(...texts), mutations, (text, mutations) => {
        const mutated = mutations.reduce(mutate, text);
        try {
          decode(mutated);
          outcomes.decoded++;
        } catch (error) {
          expect(error).toBeInstanceOf(KeyStoreError);
          expect(error).toMatchObject({ code: "DECODE_FAILED" });
          outcomes.failed++;
        }
      }),
      { numRuns: 3000 },
    );
    expect(outcomes.decoded).toBeGreaterThan(100);
    expect(outcomes.failed).toBeGreaterThan(100);
    expect(Object.keys(Object.prototype)).toEqual([]);
  });
});

describe("Decoding accepts", () => {
  it.each<[string, string, unknown]>([
    ["undefined alone", "-1", undefined],
    ["negative zero alone", "-6", -0],
    ["a view of a part", '[["Uint8Array",1,1,2],["ArrayBuffer","YWJj"]]', new Uint8Array([98, 99])],
    ["keys that all objects inherit", '[{"constructor":1,"toString":1},5]', { constructor: 5, toString: 5 }],
  ])("Decoding accepts %s", (_, text, expected) => {
    expect(isDeepStrictEqual(decode(text), expected)).toBe(true);
  });
});
