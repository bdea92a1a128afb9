import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { caught, codeOf, errorOf } from "../testing/errors.ts";
import { decode as decodePayload, encode as encodeValue, encodeCopy } from "./pipeline.ts";
import { snapshot } from "./snapshot.ts";

const encode = (value: unknown): string => encodeValue("k", value, "json") as string;
/** As a write does that was called before the write side had loaded. */
const encodeLater = (value: unknown): string => encodeCopy("k", snapshot({ "": value }, true), "json") as string;
const decode = (text: string): unknown => (decodePayload("k", text, "json") as { value: unknown }).value;

const cyclic: Record<string, unknown> = { list: [] };
(cyclic["list"] as unknown[]).push(cyclic);

const twice = {};

const nested = (depth: number, innermost: unknown = 1): unknown => {
  let value = innermost;
  for (let level = 0; level < depth; level++) value = [value];
  return value;
};

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
    ["a boxed BigInt", Object(1n), "value is an object of type BigInt"],
    ["a Map", new Map(), "value is an object of type Map"],
    ["a Set", new Set(), "value is an object of type Set"],
    ["a WeakMap", new WeakMap(), "value is an object of type WeakMap"],
    ["an ArrayBuffer", new ArrayBuffer(1), "value is an object of type ArrayBuffer"],
    ["a typed array", new Uint8Array(1), "value is an object of type Uint8Array"],
    ["a DataView", new DataView(new ArrayBuffer(1)), "value is an object of type DataView"],
    ["a Blob", new Blob(["x"]), "value is an object of type Blob"],
    ["a promise", Promise.resolve(1), "value is an object of type Promise"],
    ["a cycle", cyclic, "value.list[0] is a cycle"],
    ["an invalid Date", [new Date(Number.NaN)], "value[0] is an invalid Date"],
    ["a Date that a toJSON method returns", { toJSON: () => new Date(0) }, "value is an object of type Date"],
    ["a symbol key", { a: { [Symbol("s")]: 1 } }, "value.a is an object with symbol keys"],
    ["a match of a regular expression, which has named properties", /b/.exec("abc"), "value is an array with named properties"],
    ["an array with one named property", Object.assign([1], { x: 1 }), "value is an array with named properties"],
    ["undefined in an array", [1, undefined], "value[1] is undefined"],
    ["a hole in an array", sparse, "value[0] is undefined"],
    ["a hole at the end of an array", Object.assign([1], { length: 2 }), "value[1] is undefined"],
    ["a function in an array", [[() => 1]], "value[0][0] is a function"],
    ["a function in an object", { a: { b: () => 1 } }, "value.a.b is a function"],
    ["a symbol in an object", { a: Symbol("s") }, "value.a is a symbol"],
    ["NaN deep down", { users: [{ "first name": { x: Number.NaN } }] }, 'value.users[0]["first name"].x is NaN'],
    ["a Map after other branches", { a: { b: [1, { c: 2 }] }, d: [{}, [new Map()]] }, "value.d[1][0] is an object of type Map"],
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
    expect(error.message).toContain('Convert it first. The format "structured" keeps more types');
    expect((await errorOf(() => encodeLater(value))).message).toBe(error.message);
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
    expect(error.message).toContain("value.a.b cannot be read (no b today). Correct the getter");
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

  it("The format json refuses nesting that is too deep for JSON.stringify, with its reason", async () => {
    const tooMuch = new RangeError("Too deep.");
    const stringify = vi.spyOn(JSON, "stringify").mockImplementation(() => {
      throw tooMuch;
    });
    const error = await errorOf(() => encode(nested(3_000)));
    stringify.mockRestore();
    expect(error).toMatchObject({ code: "INVALID_VALUE", cause: tooMuch });
    expect(error.message).toBe("value is too large or nested too deeply for JSON.stringify (Too deep.). Store it in parts.");
  });

  it("The format json leaves out the middle of a long path", async () => {
    const error = await errorOf(() => encode(nested(100_000, 1n)));
    expect(error.message).toMatch(/^value[[\]0]+…[[\]0]+ is a bigint/);
    expect(error.message.length).toBeLessThan(400);
  });
});

describe("Encoding: the app's own objects and others", () => {
  it.each<[string, () => unknown]>([
    ["an Error", () => new TypeError("x")],
    ["an instance of the app's subclass of Error", () => new (class AppError extends Error {})()],
    ["an instance of the app's subclass of Map", () => new (class Index extends Map {})()],
    ["the results of Promise.allSettled", () => [{ status: "rejected", reason: new Error("x") }]],
    ["a RegExp", () => /x/],
    ["a generator", () => (function* () {})()],
    ["an async generator", () => (async function* () {})()],
    ["an iterator of an array", () => [1].values()],
    ["an iterator of a Map", () => new Map().entries()],
    ["a WeakRef", () => new WeakRef({})],
    ["an Intl object", () => new Intl.NumberFormat("en")],
    ["the segments of a text", () => new Intl.Segmenter("en").segment("a b")],
    ["Math", () => Math],
    [
      "arguments",
      () =>
        (function () {
          return arguments;
        })(),
    ], // oxlint-disable-line
    ["FormData, written in JavaScript in Node", () => new FormData()],
    ["URLSearchParams", () => new URLSearchParams("a=1")],
    ["Headers", () => new Headers()],
    ["a Response", () => new Response("x")],
    ["a DOMException", () => new DOMException("x")],
    ["an AbortSignal", () => AbortSignal.abort()],
    ["an Event", () => new Event("x")],
    ["a proxy of a Map", () => new Proxy(new Map(), {})],
    ["an object that inherits from a Map", () => Object.create(new Map()) as unknown],
  ])("The format json refuses %s", async (_, make) => {
    const { code, message } = await errorOf(() => encode({ item: make() }));
    expect(code).toBe("INVALID_VALUE");
    expect((await errorOf(() => encodeLater({ item: make() }))).message).toBe(message);
  });

  class User {
    id = 1;
  }
  class Admin extends User {}
  class Tagged extends User {
    get [Symbol.toStringTag](): string {
      return "Response";
    }
  }
  class Lender extends User {}
  Object.assign(Lender.prototype, { forEach: Array.prototype.forEach });
  const WithoutConstructor = function (this: { id: number }): void {
    this.id = 1;
  } as unknown as new () => object;
  WithoutConstructor.prototype = { method: () => 1 };

  const WithBoundMethod = function (this: { id: number }): void {
    this.id = 1;
  } as unknown as new () => object;
  WithBoundMethod.prototype = { method: User.bind(null) };

  it.each<[string, object]>([
    ["an object of another realm", runInNewContext("({ id: 1 })") as object],
    ["an object with a symbol key that is not enumerable", Object.defineProperty({ id: 1 }, Symbol("s"), { value: 1 })],
    ["an instance of a function whose prototype has a bound method", new WithBoundMethod()],
    ["an instance of a class", new User()],
    ["an instance of a subclass", new Admin()],
    ["an instance of a class with a tag of its own", new Tagged()],
    ["an instance of a class with a borrowed method", new Lender()],
    ["an instance of a function whose prototype has no constructor", new WithoutConstructor()],
    ["a proxy of an instance", new Proxy(new User(), {})],
    ["an instance that a bound constructor makes", new (User.bind(null))()],
    ["an object that inherits from an object", Object.assign(Object.create({ own: false }) as object, { id: 1 })],
  ])("The format json keeps %s", (_, value) => {
    expect(encode(value)).toBe('{"id":1}');
    expect(encodeLater(value)).toBe('{"id":1}');
  });

  it("The format json keeps an instance of a class that the app has made global, with a tag of its own", () => {
    class Cart extends User {
      get [Symbol.toStringTag](): string {
        return "Cart";
      }
    }
    Object.assign(globalThis, { Cart });
    expect(encode(new Cart())).toBe('{"id":1}');
    Reflect.deleteProperty(globalThis, "Cart");
  });
});

describe("A write before the write side has loaded", () => {
  class Money {
    currency = "€";
    #cents: number;
    constructor(cents: number) {
      this.#cents = cents;
    }
    toJSON(): object {
      return { cents: this.#cents };
    }
    add(cents: number): void {
      this.#cents += cents;
    }
  }
  class Wallet {
    money = new Money(5);
    toJSON(): object {
      return this.money;
    }
  }
  class Tagged {
    id = 1;
    get [Symbol.toStringTag](): string {
      return "Response";
    }
  }

  it.each<[string, () => object, (value: never) => unknown, string]>([
    ["private fields, which toJSON reads", () => new Money(5), (value: Money) => value.add(1), '{"cents":5}'],
    ["an instance of a class with a tag of its own", () => new Tagged(), (value: Tagged) => (value.id = 2), '{"id":1}'],
    ["the instance that a toJSON method returns", () => new Wallet(), (value: Wallet) => (value.money.currency = "$"), '{"currency":"€"}'],
    ["a Date", () => new Date(0), (value: Date) => value.setTime(1), '"1970-01-01T00:00:00.000Z"'],
  ])("The format json keeps %s as it was at the time of the call", (_, make, change, text) => {
    const value = make();
    const copy = snapshot({ "": value }, true);
    change(value as never);
    expect(encodeCopy("k", copy, "json")).toBe(text);
  });

  it("The format json refuses a value whose getter or toJSON method throws, with the same message", async () => {
    const boom = (): never => {
      throw new Error("boom");
    };
    for (const value of [{ toJSON: boom }, [{ a: { toJSON: boom } }], Object.defineProperty({}, "b", { get: boom, enumerable: true })]) {
      const { code, message } = await errorOf(() => encodeLater(value));
      expect({ code, message }).toEqual({ code: "INVALID_VALUE", message: (await errorOf(() => encode(value))).message });
    }
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
    ["what toJSON makes of its name, a string in an array too", [{ toJSON: (name: unknown) => (name === "0" ? 1 : 1n) }], "[1]"],
    ["a Map with a toJSON", Object.assign(new Map([["a", 1]]), { toJSON: () => ["a"] }), '["a"]'],
  ])("The format json keeps %s", (_, value, text) => {
    expect(encode(value)).toBe(text);
    expect(encodeLater(value)).toBe(text);
  });

  it("The format json keeps a BigInt where the app has given BigInt a toJSON method", () => {
    const bigints: object = BigInt.prototype;
    Object.defineProperty(bigints, "toJSON", { value: () => "big", configurable: true });
    expect([encode([1n]), encodeLater([1n])]).toEqual(['["big"]', '["big"]']);
    Reflect.deleteProperty(bigints, "toJSON");
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
        const outcome = (encodeWith: typeof encode): string => {
          try {
            return encodeWith(value);
          } catch (error) {
            return (error as Error).message;
          }
        };
        const text = outcome(encode);
        expect(outcome(encodeLater)).toBe(text);
        if (text.startsWith("value")) return;
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
