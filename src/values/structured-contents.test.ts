import { describe, expect, it } from "vitest";
import { decode, encode, expectTooMuch, failureOf, holes, nested, refusedAt, roundTrip } from "../testing/structured.ts";

describe("Encoding refuses with INVALID_VALUE and the path", () => {
  class Point {
    x = 1;
  }
  class Registry extends Map {}
  const SameName = { Map: class extends Map {} }.Map;
  const OwnError = {
    RangeError: class {
      name = "RangeError";
      message = "m";
    },
  }.RangeError;
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
    ["an instance of a subclass of the same name", new SameName()],
    ["an instance of a subclass of Array", new (class extends Array {})()],
    ["an instance of a subclass of Uint8Array", Buffer.from([1])],
    ["an instance of a subclass of Error", new (class extends RangeError {})("m")],
    ["an instance of a class with the name of an error", new OwnError()],
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
    ["an array with a symbol key", Object.assign([1], { [Symbol("s")]: 1 })],
    ["an array with an added property", Object.assign([1, 2], { total: 2 })],
    ["an array with an added property like an index", Object.assign([1, 2], { "-1": 2 })],
    ["the result of a regular expression", /(?<year>\d+)/.exec("in 2026")],
    ["a Map with an added property", Object.assign(new Map([[1, 2]]), { size2: 1 })],
    ["a Set with an added property", Object.assign(new Set([1]), { 0: 1 })],
    ["a Date with an added property", Object.assign(new Date(0), { zone: "UTC" })],
    ["a RegExp with an added property", Object.assign(/x/, { source2: "x" })],
    ["a URL with an added property", Object.assign(new URL("a:b"), { route: 1 })],
    ["an ArrayBuffer with an added property", Object.assign(new ArrayBuffer(2), { name: "x" })],
    ["a boxed string with an added property", Object.assign(Object("ab") as object, { 2: "c" })],
    ["an instance that forges its type", new Forger()],
    ["an object that forges its type", { [Symbol.toStringTag]: "Map" }],
    ["an own __proto__", JSON.parse('{"__proto__":1}')],
  ])("Encoding refuses %s", (_, culprit) => {
    expect(refusedAt(culprit)).toBe("value");
    expect(refusedAt({ list: [0, culprit] })).toBe("value.list[1]");
    expect(refusedAt(new Map([["the key", { "a b": culprit }]]))).toBe('value.get("the key")["a b"]');
  });

  it("Encoding names the property that is added", () => {
    const message = "cannot keep value[0] (the property groups of an instance of Array)";
    expect(failureOf(() => encode([/x/.exec("x")])).message).toContain(message);
  });

  it("Encoding ignores properties that are not enumerable", () => {
    const hide = <T extends object>(value: T, name: PropertyKey): T => Object.defineProperty(value, name, { value: 1 });
    expect(roundTrip([hide([1], "hidden"), hide(new Map(), Symbol("s")), hide({}, Symbol("s"))])).toEqual([[1], new Map(), {}]);
  });

  it("Encoding refuses thenables", () => {
    expect(refusedAt({ then: () => 1 })).toBe("value.then"); // oxlint-disable-line no-thenable
  });

  it("Encoding refuses an object that throws when it is read, with its error as the cause", () => {
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

  it("Encoding refuses an object that reads differently the second time", () => {
    let reads = 0;
    const shifty = {
      get x() {
        return reads++ === 0 ? 1 : nested(100_000, (inner) => [inner]);
      },
    };
    expect(refusedAt(shifty)).toBe("value");
  });

  it("Encoding refuses nesting deeper than 500, without a stack overflow", () => {
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

  it("Encoding has the same limits as decoding, so that everything that is stored can be read", () => {
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

  it("Encoding refuses long sparse arrays without a visit of every hole", () => {
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

  it("Encoding refuses endless getters and BigInts", () => {
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

  it("Encoding refuses more text than 64 Mi characters", () => {
    expect(refusedAt("x".repeat(64 * 1024 * 1024))).toBe("value");
  });
});
