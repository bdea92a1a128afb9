import { describe, expect, it } from "vitest";
import { decode, encode, expectTooMuch, failureOf, holes, nested, refusedAt, roundTrip } from "../testing/structured.ts";

describe("Encoding refuses with INVALID_VALUE and the path", () => {
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
  ])("Encoding refuses %s", (_, culprit) => {
    expect(refusedAt(culprit)).toBe("value");
    expect(refusedAt({ list: [0, culprit] })).toBe("value.list[1]");
    expect(refusedAt(new Map([["the key", { "a b": culprit }]]))).toBe('value.get("the key")["a b"]');
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
