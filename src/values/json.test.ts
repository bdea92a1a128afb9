import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { caught, codeOf, errorOf } from "../testing/errors.ts";
import { decodeJson, encodeJson } from "./json.ts";

const encode = (value: unknown): string => encodeJson("k", value);
const decode = (text: string): unknown => decodeJson("k", text);

const cyclic: Record<string, unknown> = { list: [] };
(cyclic["list"] as unknown[]).push(cyclic);

const twice = {};

const sparse: unknown[] = [];
sparse.length = 2;
sparse[1] = 1;

describe("Encoding: refusals", () => {
  it.each<[string, unknown, string]>([
    ["undefined", undefined, "value is undefined"],
    ["a function", () => 1, "value is a function"],
    ["a symbol", Symbol("s"), "value is a symbol"],
    ["a BigInt", 1n, "value is a bigint"],
    ["NaN", Number.NaN, "value is NaN"],
    ["Infinity", Infinity, "value is Infinity"],
    ["-Infinity", -Infinity, "value is -Infinity"],
    ["a boxed NaN", Object(Number.NaN), "value is NaN"],
    ["a boxed BigInt", Object(1n), "value is"],
    ["a Map", new Map(), "value is a Map"],
    ["a Set", new Set(), "value is a Set"],
    ["a WeakMap", new WeakMap(), "value is a WeakMap"],
    ["an ArrayBuffer", new ArrayBuffer(1), "value is a ArrayBuffer"],
    ["a typed array", new Uint8Array(1), "value is a typed array"],
    ["a DataView", new DataView(new ArrayBuffer(1)), "value is a typed array or DataView"],
    ["a Blob", new Blob(["x"]), "value is a Blob"],
    ["a promise", Promise.resolve(1), "value is a Promise"],
    ["a cycle", cyclic, "not serializable"],
    ["undefined in an array", [1, undefined], "value[1] is undefined"],
    ["a hole in an array", sparse, "value[0] is undefined"],
    ["a function in an array", [[() => 1]], "value[0][0] is a function"],
    ["a function in an object", { a: { b: () => 1 } }, "value.a.b is a function"],
    ["a symbol in an object", { a: Symbol("s") }, "value.a is a symbol"],
    ["NaN deep down", { users: [{ "first name": { x: Number.NaN } }] }, 'value.users[0]["first name"].x is NaN'],
    ["a Map after other branches", { a: { b: [1, { c: 2 }] }, d: [{}, [new Map()]] }, "value.d[1][0] is a Map"],
    ["what comes after an object that is used twice", [twice, { a: twice }, { b: 1n }], "value[2].b is a bigint"],
    ["a BigInt under a name that needs quotes", { 'a"b': 1n }, 'value["a\\"b"] is a bigint'],
    [
      "a BigInt under __proto__",
      JSON.parse('{"__proto__": 1}', (name, item: unknown) => (name === "__proto__" ? 1n : item)),
      "value.__proto__ is a bigint",
    ],
    ["what toJSON makes", { a: { toJSON: () => Number.NaN } }, "value.a is NaN"],
    ["what toJSON makes of the whole", { toJSON: () => undefined }, "value is undefined"],
    ["what lies in what toJSON makes", { a: { toJSON: () => ({ b: [1n] }) } }, "value.a.b[0] is a bigint"],
  ])("The format json refuses %s", async (_, value, path) => {
    const error = await errorOf(() => encode(value));
    expect(error).toMatchObject({ code: "INVALID_VALUE", key: "k" });
    expect(error.message).toContain(path);
    expect(error.message).toContain('Use the format "structured" or "binary"');
  });

  it("The format json names a shared object by the path on which it was reached", async () => {
    const shared = { deep: { bad: 1n } };
    expect((await errorOf(() => encode({ fine: { deep: 1 }, first: shared, second: shared }))).message).toContain(
      "value.first.deep.bad is",
    );
  });

  it("The format json refuses a value whose getter throws, and quotes its error", async () => {
    const value = {
      a: {
        get b(): number {
          throw new Error("no b today");
        },
      },
    };
    const error = await errorOf(() => encode(value));
    expect(error).toMatchObject({ code: "INVALID_VALUE", cause: new Error("no b today") });
    expect(error.message).toContain("value.a is not serializable (no b today)");
  });

  it.each<[string, unknown]>([
    ["an error", new Error("no")],
    ["a string", "no"],
    ["undefined", undefined],
    ["a symbol", Symbol("no")],
    ["an object that is no text", Object.create(null)],
  ])("The format json refuses a value whose toJSON throws %s", async (_, thrown) => {
    const error = await caught(() =>
      encode({
        toJSON() {
          throw thrown;
        },
      }),
    );
    expect(error).toMatchObject({ name: "KeyStoreError", code: "INVALID_VALUE" });
  });

  it("The format json refuses a revoked proxy", async () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    expect(await codeOf(() => encode({ proxy }))).toBe("INVALID_VALUE");
  });

  it("The format json refuses nesting that is too deep for the stack", async () => {
    let value: unknown = 1;
    for (let depth = 0; depth < 100_000; depth++) value = [value];
    const error = await errorOf(() => encode(value));
    expect(error.code).toBe("INVALID_VALUE");
  });
});

describe("Encoding", () => {
  it.each<[string, unknown, string]>([
    ["null", null, "null"],
    ["a string", "ä\n", String.raw`"ä\n"`],
    ["half a surrogate pair", "\uD83D", String.raw`"\ud83d"`],
    ["the empty string", "", '""'],
    ["numbers", [0, 1.5, -1e300], "[0,1.5,-1e+300]"],
    ["-0, as 0", -0, "0"],
    ["a Date, as its toJSON says", { at: new Date(0) }, '{"at":"1970-01-01T00:00:00.000Z"}'],
    [
      "a class instance, as its properties",
      new (class User {
        name = "Ada";
      })(),
      '{"name":"Ada"}',
    ],
    ["an object without prototype", Object.assign(Object.create(null) as object, { a: 1 }), '{"a":1}'],
    ["an object without a property that is undefined", { a: undefined, b: 1 }, '{"b":1}'],
    ["an object that is used twice", [twice, { again: twice }], '[{},{"again":{}}]'],
    ["boxed primitives", [Object(1), Object("a"), Object(true)], '[1,"a",true]'],
    ["a Map with a toJSON", Object.assign(new Map([["a", 1]]), { toJSON: () => ["a"] }), '["a"]'],
  ])("The format json keeps %s", (_, value, text) => {
    expect(encode(value)).toBe(text);
  });

  it("The format json keeps an own property named __proto__ as an own property", () => {
    const value: unknown = JSON.parse('{"__proto__":{"admin":true},"constructor":1}');
    const back = decode(encode(value)) as object;
    expect(Object.keys(back)).toEqual(["__proto__", "constructor"]);
    expect(Object.getPrototypeOf(back)).toBe(Object.prototype);
    expect((back as { admin?: boolean }).admin).toBeUndefined();
  });

  it("The format json keeps every JSON value", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
        expect(decode(encode(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it("The format json encodes every value that it accepts as JSON.stringify does", () => {
    const anything = fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withSet: true,
      withTypedArray: true,
      withSparseArray: true,
      withNullPrototype: true,
      maxDepth: 3,
    });
    fc.assert(
      fc.property(anything, (value) => {
        let text: string;
        try {
          text = encode(value);
        } catch {
          return;
        }
        expect(text).toBe(JSON.stringify(value));
        expect(text).not.toBe(undefined);
      }),
      { numRuns: 2000 },
    );
  });
});

describe("Decoding", () => {
  it.each(["", "{", "undefined", "NaN", "{a:1}", "[1,]", "\uFEFF1"])("Decoding json refuses %j", async (text) => {
    expect(await errorOf(() => decode(text))).toMatchObject({ code: "DECODE_FAILED", key: "k", cause: expect.any(SyntaxError) as Error });
  });
});
