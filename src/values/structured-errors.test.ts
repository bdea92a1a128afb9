import { describe, expect, it } from "vitest";
import { decode, encode, expectUndecodable, failureOf, oneTo, refusedAt, roundTrip } from "../testing/structured.ts";

describe("Errors", () => {
  it.each([Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError])(
    "A round trip keeps the name, message and cause of a %o, and never its stack",
    (Type) => {
      const error = new Type("why", { cause: new Map([[1, 2n]]) });
      // WebKit has the stack as a property of its own, and apps make it enumerable.
      Object.defineProperty(error, "stack", { value: "SECRET /home/me", enumerable: true });
      const text = encode(error);
      expect(text).not.toContain("SECRET");
      const copy = decode(text) as Error;
      expect(copy).toBeInstanceOf(Type);
      expect(Object.getPrototypeOf(copy)).toBe(Type.prototype);
      expect(copy).toMatchObject({ name: error.name, message: "why", cause: new Map([[1, 2n]]) });
      expect(copy.stack).not.toContain("SECRET");
    },
  );

  it("A round trip keeps a name that was set, and adds no cause", () => {
    const error = new Error("m");
    error.name = "Mine";
    const copy = roundTrip(error);
    expect(copy.name).toBe("Mine");
    expect("cause" in copy).toBe(false);
    expect("cause" in roundTrip(new Error("m", { cause: undefined }))).toBe(true);
  });

  it("A round trip keeps the errors of an AggregateError, and a DOMException", () => {
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

  it("A round trip keeps a cycle through an error, and encoding refuses an error that contains itself", () => {
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
    expectUndecodable('[["Error",1],{"constructor":2,"name":2,"message":2,"cause":0},"Error"]');
  });

  it("A round trip keeps an AggregateError in its own list of errors", () => {
    const list: unknown[] = [];
    list.push(Object.assign(new AggregateError([]), { errors: list }));
    const copy = roundTrip(list) as AggregateError[];
    expect(copy[0]?.errors).toBe(copy);
    expect(refusedAt([Object.assign(new AggregateError([]), { errors: 1 })])).toBe("value[0]");
  });

  it("A round trip keeps the own properties of an error", () => {
    const cause = new Error("deep");
    const error = Object.assign(new TypeError("m", { cause }), {
      code: "E_X",
      status: 404,
      type: "t",
      errors: [cause],
      "a b": new Map([[1, 2]]),
    });
    const copy = roundTrip({ error, cause });
    expect(copy.error).toMatchObject({ code: "E_X", status: 404, type: "t", "a b": new Map([[1, 2]]), message: "m" });
    expect(Object.keys(copy.error)).toEqual(["code", "status", "type", "a b"]);
    expect(copy.error.errors[0]).toBe(copy.cause);
    expect(roundTrip(Object.assign(new DOMException("m", "AbortError"), { detail: 1 }))).toMatchObject({ name: "AbortError", detail: 1 });
  });

  it("Encoding refuses an error with a property that cannot be kept", () => {
    const error = (properties: object): Error => Object.assign(new Error("m"), properties);
    expect(refusedAt([error({ response: new Response() })])).toBe("value[0].response");
    expect(refusedAt(error({ retry: () => 1 }))).toBe("value.retry");
    for (const properties of [{ constructor: "TypeError" }, { message: {} }, { name: 1 }, { [Symbol("s")]: 1 }]) {
      expect(refusedAt([error(properties as object)])).toBe("value[0]");
    }
  });

  it("Decoding refuses errors that share their parts, since their properties would be copied", () => {
    const many = 1_000;
    const indexes = oneTo(many).map((i) => i + 4);
    const PARTS = { constructor: 3, name: 3, message: 3, errors: 2 };
    const own = indexes.map((i) => i + many);
    const entries = [indexes, 0, Array.from({ length: many }, () => 3), "AggregateError", 0];
    const errorsOf = (parts: readonly number[]): string =>
      JSON.stringify([...entries, ...indexes.map((_, i) => ["Error", parts[i]]), ...own.map(() => PARTS)]);
    expect(decode(errorsOf(own))).toHaveLength(many);
    expectUndecodable(errorsOf(own.map(() => own[0]!)));
  });

  it("Decoding makes only errors of the list", () => {
    class HttpError extends Error {}
    expect(failureOf(() => encode(new HttpError("m"))).message).toContain("HttpError");
    for (const type of ["Function", "Array", "constructor", "__proto__", "toString", "KeyStoreError"]) {
      expectUndecodable(JSON.stringify([["Error", 1], { constructor: 2, name: 2, message: 3 }, type, "alert(1)"]));
      expectUndecodable(JSON.stringify([[type, 1], "alert(1)"]));
    }
    expectUndecodable('[["Error",1],{"constructor":2,"name":2},"Error"]');
    expectUndecodable('[["Error",1],{"constructor":2,"name":2,"message":3},"Error",5]');
    expectUndecodable('[["Error",1],{"constructor":2,"name":2,"message":2,"errors":2},"AggregateError"]');
    expectUndecodable('[["Error",1],"Error"]');
    expectUndecodable('[["Error",1],{"constructor":2,"name":2,"message":2},"AggregateError"]');
    expectUndecodable('[["Error",-1]]');
    expectUndecodable('[["Error",{"type":"Error"}]]');
  });
});
