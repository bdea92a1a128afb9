import { isDeepStrictEqual } from "node:util";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { KeyStoreError } from "../util/errors.ts";
import { decodeStructured, encodeStructured } from "./structured.ts";

const encode = (value: unknown): string => encodeStructured("k", value);
const decode = (text: string): unknown => decodeStructured("k", text);
const roundTrip = <T>(value: T): T => decode(encode(value)) as T;

/** The error of a call, which must be one of ours. */
function failureOf(call: () => unknown): KeyStoreError {
  try {
    call();
  } catch (error) {
    if (error instanceof KeyStoreError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

/** Where in the value the refused thing is, as the message says it. */
function refusedAt(value: unknown): string | undefined {
  const error = failureOf(() => encode(value));
  expect(error).toMatchObject({ code: "INVALID_VALUE", key: "k" });
  return /cannot keep (value.*?) \(/s.exec(error.message)?.[1];
}

/** Such a path is long: only how it starts is said. */
function expectTooMuch(value: unknown, pathStart: string, limit: number): void {
  const { code, message } = failureOf(() => encode(value));
  expect(code).toBe("INVALID_VALUE");
  expect(message).toContain(`value${pathStart}`);
  expect(message).toMatch(new RegExp(`\\b${limit}\\b`));
  expect(message.length).toBeLessThan(400);
}

function expectUndecodable(text: string): KeyStoreError {
  const error = failureOf(() => decode(text));
  expect(error).toMatchObject({ code: "DECODE_FAILED", key: "k" });
  expect(error.cause).toBeDefined();
  return error;
}

const oneTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1);
const holes = (length: number): unknown[] => Object.assign([], { length });

function nested(levels: number, wrap: (inner: unknown) => unknown): unknown {
  let value: unknown = "core";
  for (let i = 0; i < levels; i++) value = wrap(value);
  return value;
}

describe("a round trip", () => {
  const key = fc.string({ unit: fc.constantFrom("a", "b", "\ud800", "\n", "<", "\u2028") });
  const bytes = fc.uint8Array({ maxLength: 9 });
  const atom = fc.oneof(
    fc.constantFrom<unknown>(undefined, null, NaN, Infinity, -Infinity, -0, "", "\ud800", true),
    fc.double(),
    fc.bigInt(),
    fc.string({ unit: "binary" }),
    fc.date({ noInvalidDate: true }),
    fc.constantFrom(/a+/gi, /[/\]\n]/u, new RegExp("")).map((regexp) => new RegExp(regexp)),
    bytes.map((bytes) => bytes.buffer),
    bytes.map((bytes) => new DataView(bytes.buffer)),
    fc.constantFrom(Error, RangeError, TypeError).chain((Type) => key.map((message) => new Type(message))),
  );
  const value = fc.anything({
    key,
    values: [atom],
    withBigInt: true,
    withBoxedValues: true,
    withMap: true,
    withSet: true,
    withNullPrototype: true,
    withSparseArray: true,
    withTypedArray: true,
  });

  it("keeps any value, and writes what it read as before", () => {
    fc.assert(
      fc.property(value, (value) => {
        const text = encode(value);
        const copy = decode(text);
        expect(isDeepStrictEqual(copy, value)).toBe(true);
        expect(encode(copy)).toBe(text);
      }),
      { numRuns: 1000 },
    );
  });

  it("keeps cycles and shared references", () => {
    const empty = fc.constantFrom<() => unknown>(
      () => ({}),
      () => [],
      () => new Map(),
      () => new Set(),
    );
    const link = fc.tuple(fc.nat(), fc.nat());
    fc.assert(
      fc.property(fc.array(empty, { minLength: 1 }), fc.array(link), (makers, links) => {
        const nodes = makers.map((make) => make());
        const at = (n: number): unknown => nodes[n % nodes.length];
        for (const [from, to] of [...links, ...nodes.map((_, i) => [0, i] as const)]) {
          const node = at(from);
          if (Array.isArray(node)) node.push(at(to));
          else if (node instanceof Map) node.set(at(to), at(from + to));
          else if (node instanceof Set) node.add(at(to));
          else (node as Record<string, unknown>)[`to${to}`] = at(to);
        }
        // The text numbers every object: the same text is the same graph.
        const text = encode(nodes[0]);
        expect(encode(decode(text))).toBe(text);
      }),
    );
    const self: unknown[] = [];
    self.push(self);
    const copy = roundTrip(self);
    expect(copy[0]).toBe(copy);
  });

  it("keeps an invalid Date, a URL and its search parameters", () => {
    expect(roundTrip(new Date(NaN)).getTime()).toBeNaN();
    const copy = roundTrip({ url: new URL("https://a.b/ü?q#h"), search: new URLSearchParams("a=1&a=%20") });
    expect(copy.url).toBeInstanceOf(URL);
    expect(copy.url.href).toBe("https://a.b/%C3%BC?q#h");
    expect(copy.search).toBeInstanceOf(URLSearchParams);
    expect([...copy.search]).toEqual([
      ["a", "1"],
      ["a", " "],
    ]);
  });

  it("keeps a far element of a sparse array, and every hole", () => {
    const sparse: unknown[] = [];
    sparse[500_000] = "x";
    const copy = roundTrip({ sparse, mixed: Object.assign([], { 0: 1, 2: undefined, 4: 2 }) });
    expect(copy.sparse).toHaveLength(500_001);
    expect(Object.keys(copy.sparse)).toEqual(["500000"]);
    expect(Object.keys(copy.mixed)).toEqual(["0", "2", "4"]);
  });

  it("takes values of another realm", () => {
    const foreign: unknown = runInNewContext("({ map: new Map([[1, [2]]]), error: new RangeError('far') })");
    expect(decode(encode(foreign))).toEqual({ map: new Map([[1, [2]]]), error: new RangeError("far") });
  });

  it("gives a fresh value at each reading", () => {
    const text = encode({ a: [1] });
    expect(decode(text)).not.toBe(decode(text));
  });
});

describe("errors", () => {
  it.each([Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError])(
    "keeps name, message and cause of %o, never its stack",
    (Type) => {
      const error = new Type("why", { cause: new Map([[1, 2n]]) });
      error.stack = "SECRET /home/me";
      const text = encode(error);
      expect(text).not.toContain("SECRET");
      const copy = decode(text) as Error;
      expect(copy).toBeInstanceOf(Type);
      expect(Object.getPrototypeOf(copy)).toBe(Type.prototype);
      expect(copy).toMatchObject({ name: error.name, message: "why", cause: new Map([[1, 2n]]) });
      expect(copy.stack).not.toContain("SECRET");
    },
  );

  it("keeps a name that was set, and an absent cause absent", () => {
    const error = new Error("m");
    error.name = "Mine";
    const copy = roundTrip(error);
    expect(copy.name).toBe("Mine");
    expect("cause" in copy).toBe(false);
    expect("cause" in roundTrip(new Error("m", { cause: undefined }))).toBe(true);
  });

  it("keeps the errors of an AggregateError, and a DOMException", () => {
    const shared = new TypeError("a");
    const copy = roundTrip(new AggregateError([shared, "b", shared], "all", { cause: shared }));
    expect(copy).toBeInstanceOf(AggregateError);
    expect(copy.errors).toEqual([new TypeError("a"), "b", new TypeError("a")]);
    expect(copy.errors[2]).toBe(copy.errors[0]);
    expect(copy.cause).toBe(copy.errors[0]);
    const exception = roundTrip(new DOMException("gone", "AbortError"));
    expect(exception).toBeInstanceOf(DOMException);
    expect(exception).toMatchObject({ name: "AbortError", message: "gone", code: 20 });
  });

  it("keeps a cycle that an error is only passed by, and refuses one that it is made from", () => {
    const holder: { error?: Error } = {};
    holder.error = new Error("m", { cause: holder });
    const copy = roundTrip(holder);
    expect(copy.error?.cause).toBe(copy);

    const itself = new Error("m");
    itself.cause = itself;
    expect(refusedAt([itself])).toBe("value[0].cause");
    const first = new Error("1");
    first.cause = { list: [new Error("2", { cause: first })] };
    expect(refusedAt(first)).toBe("value.cause.list[0].cause");
    const all = new AggregateError([]);
    all.errors.push(all);
    expect(refusedAt({ all })).toBe("value.all.errors[0]");
    expectUndecodable('[["Error",1],{"type":2,"name":2,"message":2,"cause":0},"Error"]');
  });

  it("keeps an AggregateError in its own list of errors", () => {
    const list: unknown[] = [];
    list.push(Object.assign(new AggregateError([]), { errors: list }));
    const copy = roundTrip(list) as AggregateError[];
    expect(copy[0]?.errors).toBe(copy);
    expect(refusedAt([Object.assign(new AggregateError([]), { errors: 1 })])).toBe("value[0]");
  });

  it("makes many from the same parts without a copy each", () => {
    const many = 100_000;
    const indexes = oneTo(many).map((i) => i + 4);
    const parts = { type: 3, name: 3, message: 3, errors: 2 };
    const head = [indexes, parts, Array.from({ length: many }, () => 3), "AggregateError", 0];
    expect(decode(JSON.stringify([...head, ...indexes.map(() => ["Error", 1])]))).toHaveLength(many);
  });

  it("makes none but the listed ones", () => {
    class HttpError extends Error {}
    expect(failureOf(() => encode(new HttpError("m"))).message).toContain("HttpError");
    for (const type of ["Function", "Array", "constructor", "__proto__", "toString", "KeyStoreError"]) {
      expectUndecodable(JSON.stringify([["Error", 1], { type: 2, name: 2, message: 3 }, type, "alert(1)"]));
      expectUndecodable(JSON.stringify([[type, 1], "alert(1)"]));
    }
    expectUndecodable('[["Error",1],{"type":2,"name":2},"Error"]');
    expectUndecodable('[["Error",1],{"type":2,"name":2,"message":3},"Error",5]');
    expectUndecodable('[["Error",1],{"type":2,"name":2,"message":2,"errors":2},"AggregateError"]');
    expectUndecodable('[["Error",1],"Error"]');
    expectUndecodable('[["Error",1],{"type":2,"name":2,"message":2},"AggregateError"]');
    expectUndecodable('[["Error",-1]]');
    expectUndecodable('[["Error",{"type":"Error"}]]');
  });
});

describe("views", () => {
  const secret = Uint8Array.from("SECRET-ab-SECRET", (character) => character.charCodeAt(0)).buffer;

  it.each([
    ["a typed array", new Uint8Array(secret, 7, 2), new Uint8Array([97, 98])],
    ["a wider one", new Uint16Array(secret, 6, 2), new Uint16Array(secret.slice(6, 10))],
    ["a DataView", new DataView(secret, 7, 2), new DataView(Uint8Array.of(97, 98).buffer)],
    ["an empty one", new Uint8Array(secret, 3, 0), new Uint8Array()],
    ["a Buffer of Node", Buffer.from(secret, 7, 2), new Uint8Array([97, 98])],
  ])("writes of %s its own bytes only", (_, view, expected) => {
    const copy = roundTrip<unknown>(view) as ArrayBufferView;
    expect(isDeepStrictEqual(copy, expected)).toBe(true);
    expect(copy.buffer.byteLength).toBe(view.byteLength);
  });

  it("keeps a buffer shared that each of them covers whole", () => {
    const buffer = new ArrayBuffer(8);
    const copy = roundTrip([new Uint8Array(buffer), new Float64Array(buffer), buffer] as const);
    expect(copy[0].buffer).toBe(copy[2]);
    expect(copy[1].buffer).toBe(copy[2]);
  });

  it("refuses shared memory and transferred buffers", () => {
    expect(refusedAt({ a: new Uint8Array(new SharedArrayBuffer(4)) })).toBe("value.a.buffer");
    const gone = new ArrayBuffer(4);
    const view = new Uint8Array(gone);
    structuredClone(gone, { transfer: [gone] });
    expect(refusedAt([gone])).toBe("value[0]");
    expect(refusedAt([view])).toBe("value[0].buffer");
  });
});

describe("encoding refuses with INVALID_VALUE and the path", () => {
  class Point {
    x = 1;
  }
  class Registry extends Map {}
  class Forger {
    readonly [Symbol.toStringTag] = "Map";
  }
  const argumentsOf = function (): unknown {
    return arguments; // oxlint-disable-line prefer-rest-params
  };

  it.each<[string, unknown]>([
    ["a function", () => 1],
    ["a symbol", Symbol("s")],
    ["a class instance", new Point()],
    ["an instance of a subclass", new Registry()],
    ["an inheriting object", Object.create({ a: 1 })],
    ["one that inherits from a bare object", Object.create(Object.create(null) as object)],
    ["a promise", Promise.resolve(1)],
    ["a Blob", new Blob([])],
    ["a WeakMap", new WeakMap()],
    ["a WeakRef", new WeakRef({})],
    ["a boxed symbol", Object(Symbol("s"))],
    ["arguments", argumentsOf()],
    ["a namespace", Math],
    ["a generator", (function* () {})()],
    ["an object with a symbol key", { [Symbol("s")]: 1 }],
    ["an instance that forges its type", new Forger()],
    ["an object that forges its type", { [Symbol.toStringTag]: "Map" }],
    ["an own __proto__", JSON.parse('{"__proto__":1}')],
  ])("%s", (_, culprit) => {
    expect(refusedAt(culprit)).toBe("value");
    expect(refusedAt({ list: [0, culprit] })).toBe("value.list[1]");
    expect(refusedAt(new Map([["the key", { "a b": culprit }]]))).toBe('value.get("the key")["a b"]');
  });

  it("thenables", () => {
    expect(refusedAt({ then: () => 1 })).toBe("value.then"); // oxlint-disable-line no-thenable
  });

  it("what throws when read, and says so in the cause", () => {
    const cause = new Error("boom");
    const thrower = (): never => {
      throw cause;
    };
    for (const culprit of [
      Object.defineProperty({}, "x", { get: thrower, enumerable: true }),
      new Proxy({}, { ownKeys: thrower }),
      new Proxy({}, { getPrototypeOf: thrower }),
    ]) {
      expect(refusedAt([culprit])).toBe("value[0]");
      expect(failureOf(() => encode([culprit])).cause).toBe(cause);
    }
  });

  it("what reads differently the second time", () => {
    let reads = 0;
    const shifty = {
      get x() {
        return reads++ === 0 ? 1 : nested(100_000, (inner) => [inner]);
      },
    };
    expect(refusedAt(shifty)).toBe("value");
  });

  it("nesting deeper than 500, without a stack overflow", () => {
    const wraps: [path: string, wrap: (inner: unknown) => unknown][] = [
      ["[0][0]", (inner) => [inner]],
      [".x.x", (x) => ({ x })],
      ['.get("k").get("k")', (inner) => new Map([["k", inner]])],
      ["", (inner) => new Set([inner])],
    ];
    for (const [path, wrap] of wraps) {
      const deepest = encode(nested(500, wrap));
      expect(encode(decode(deepest))).toBe(deepest);
      expectTooMuch(nested(501, wrap), path, 500);
      expectTooMuch(nested(100_000, wrap), path, 500);
    }
  });

  it("as much as is refused on reading, so that nothing is stored that cannot be read", () => {
    const errors = (levels: number): unknown => nested(levels, (cause) => new Error("m", { cause }));
    expect(encode(decode(encode(errors(250))))).toBe(encode(errors(250)));
    expectTooMuch(errors(251), ".cause.cause", 500);

    const leaves = [1n, new Date(0), new ArrayBuffer(2), /x/, new URL("a:b"), "s"];
    const deepest = encode(nested(500, (inner) => [inner, ...leaves]));
    expect(encode(decode(deepest))).toBe(deepest);

    const widest = Array.from({ length: 999_999 }, () => 7);
    expect(roundTrip(widest)).toHaveLength(999_999);
    expectTooMuch([...widest, 7], "[999999] (", 1_000_000);
    const longest = holes(999_999);
    expect(roundTrip(longest)).toHaveLength(999_999);
    expectTooMuch(holes(1_000_000), "[999999] (", 1_000_000);
  });

  it("sparse arrays of great length, quickly", () => {
    expectTooMuch({ a: holes(4e9) }, ".a[", 1_000_000);
    const far: unknown[] = [];
    far[4_000_000_000] = 1;
    expectTooMuch(far, "[", 1_000_000);
    expectTooMuch(
      Array.from({ length: 5 }, () => holes(300_000)),
      "[3]",
      1_000_000,
    );
  });

  it("endless getters and BigInts", () => {
    const endless = (): unknown => ({
      get next() {
        return endless();
      },
    });
    expectTooMuch(endless(), ".next", 500);
    expectTooMuch([10n ** 10_000n], "[0] (", 10_000);
    expectTooMuch([-(10n ** 10_000n)], "[0] (", 10_000);
    expect(roundTrip([10n ** 10_000n - 1n, 1n - 10n ** 10_000n])).toHaveLength(2);
  });

  it("more text than 64 Mi characters", () => {
    expect(refusedAt("x".repeat(64 * 1024 * 1024))).toBe("value");
  });
});

describe("decoding refuses with DECODE_FAILED", () => {
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
  ])("%s", (_, text) => {
    expectUndecodable(text);
    expect("polluted" in {}).toBe(false);
  });

  it("nesting deeper than 500, on whatever way devalue would take", () => {
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

  it("too many values, which may be one value many times", () => {
    const all = (n: number): string => `[[${Array.from({ length: n }, () => 1).join()}],"x"]`;
    expect(decode(all(999_999))).toHaveLength(999_999);
    expectUndecodable(all(1_000_000));
    expectUndecodable(`"${" ".repeat(64 * 1024 * 1024)}"`);
  });

  it("nothing else, and quickly, whatever happens to a text", () => {
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

describe("decoding takes", () => {
  it.each<[string, string, unknown]>([
    ["undefined alone", "-1", undefined],
    ["negative zero alone", "-6", -0],
    ["a view of a part", '[["Uint8Array",1,1,2],["ArrayBuffer","YWJj"]]', new Uint8Array([98, 99])],
    ["keys that all objects inherit", '[{"constructor":1,"toString":1},5]', { constructor: 5, toString: 5 }],
  ])("%s", (_, text, expected) => {
    expect(isDeepStrictEqual(decode(text), expected)).toBe(true);
  });
});
