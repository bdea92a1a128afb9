import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { encode } from "../testing/structured.ts";
import { snapshot } from "./snapshot.ts";

const foreign = <T>(source: string): T => runInNewContext(source) as T;

describe("Encoding a snapshot gives the same text or the same error as encoding the value", () => {
  const boom = (): never => {
    throw new Error("boom");
  };
  class Point {
    x = 1;
  }
  const buffer = new Uint8Array([1, 2, 3, 4]).buffer;

  it.each<[string, () => unknown]>([
    ["a function", () => () => 1],
    ["a class instance", () => new Point()],
    ["a promise", () => Promise.resolve()],
    ["a Blob", () => new Blob(["a"])],
    ["a subclass of Map", () => new (class extends Map {})()],
    ["a subclass of Set", () => new (class extends Set {})([1])],
    ["a subclass of Array", () => new (class extends Array {})()],
    ["a subclass of Date", () => new (class extends Date {})()],
    ["a subclass of Uint8Array", () => Buffer.from([1])],
    ["a subclass of Error", () => new (class HttpError extends Error {})("m")],
    ["a subclass of another realm", () => foreign("new (class extends Map {})")],
    ["the result of a regular expression", () => /(?<x>a)/.exec("a")],
    ["an array with a hidden property", () => Object.defineProperty([1], "hidden", { value: 1 })],
    ["a Map with a symbol key", () => Object.assign(new Map(), { [Symbol("s")]: 1 })],
    ["a URL with a property", () => Object.defineProperty(new URL("a:b"), "href", { value: "c:d", enumerable: true })],
    ["an object with __proto__", () => JSON.parse('{"__proto__":{}}') as unknown],
    ["an object with the names of a prototype", () => ({ constructor: 1, toString: 2, length: 3 })],
    ["a getter that throws", () => ({ a: 1, b: Object.defineProperty([1, 2], 1, { get: boom, enumerable: true }) })],
    ["a proxy that throws", () => new Proxy({}, { ownKeys: boom })],
    [
      "a revoked proxy",
      () => {
        const { proxy, revoke } = Proxy.revocable({}, {});
        revoke();
        return proxy;
      },
    ],
    [
      "transferred bytes",
      () => {
        const bytes = new Uint8Array(8);
        structuredClone(bytes, { transfer: [bytes.buffer] });
        return { bytes };
      },
    ],
    ["shared memory", () => new Uint8Array(new SharedArrayBuffer(4))],
    ["views that share a buffer", () => [new Uint8Array(buffer), new DataView(buffer), buffer, new Uint8Array(buffer, 1)]],
    ["an error", () => Object.assign(new RangeError("m", { cause: [new Date(0)] }), { code: "E", stack: "s" })],
    ["an error without a message", () => new Error()], // oxlint-disable-line unicorn/error-message
    ["an error with a name", () => Object.assign(new Error("m"), { name: "Mine" })],
    ["an error with a property that cannot be kept", () => Object.assign(new Error("m"), { constructor: 1 })],
    ["an AggregateError", () => new AggregateError([new DOMException("m", "AbortError"), 1], "all")],
    ["a DOMException with a property", () => Object.assign(new DOMException("m", "AbortError"), { detail: 1 })],
    ["boxed primitives", () => [Object(1), Object("ab"), Object(1n), Object(false)]],
    ["plain values of another realm", () => foreign("[{ a: 1 }, new Map([[{}, 1]]), new Set([[]]), new Date(5), /b/i]")],
    ["bytes of another realm", () => foreign("[new Uint8Array([1, 2]).subarray(1), new DataView(new ArrayBuffer(2))]")],
    ["errors of another realm", () => foreign("[Object.assign(new TypeError('m', { cause: {} }), { code: 1 }), new AggregateError([1])]")],
  ])("A snapshot of %s", (_, make) => {
    const outcome = (value: unknown): string => {
      try {
        return encode(value);
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(outcome(snapshot(make()))).toBe(outcome(make()));
    expect(outcome(snapshot([make()]))).toBe(outcome([make()]));
  });
});

describe("A snapshot does not change with its source", () => {
  const bytes = (value: Uint8Array): unknown => value.fill(1);
  const clear = (value: Map<unknown, unknown>): void => value.clear();
  const later = (value: Date): unknown => value.setTime(1);
  const say = (value: Error): unknown => (value.message = "b");

  it.each<[string, make: () => object, change: (value: never) => unknown]>([
    ["an object", () => ({ a: 1 }), (value: { a: number }) => (value.a = 2)],
    ["an array", () => [1], (value: number[]) => value.push(2)],
    ["a Map", () => new Map([[1, 1]]), clear],
    ["a Set", () => new Set([1]), clear],
    ["a Date", () => new Date(0), later],
    ["a RegExp", () => /a/, (value: RegExp) => value.compile("b")],
    ["a URL", () => new URL("https://a.b/c?d=e"), (value: URL) => value.searchParams.set("d", "f")],
    ["search parameters", () => new URLSearchParams("a=b"), (value: URLSearchParams) => value.append("a", "c")],
    ["an ArrayBuffer", () => new ArrayBuffer(2), (value: ArrayBuffer) => bytes(new Uint8Array(value))],
    ["a typed array", () => new Uint8Array(2), bytes],
    ["a part of a buffer", () => new Uint8Array(new ArrayBuffer(4), 1, 2), bytes],
    ["an error", () => new Error("a"), say],
    ["the name of an error", () => new Error("a"), (value: Error) => (value.name = "B")],
    ["the cause of an error", () => new Error("a", { cause: [1] }), (value: { cause: number[] }) => value.cause.push(2)],
    ["a property of an error", () => Object.assign(new Error("a"), { code: 1 }), (value: { code: number }) => (value.code = 2)],
    ["a list of errors", () => new AggregateError([1]), (value: AggregateError) => value.errors.push(2)],
    ["a foreign object", () => foreign("({ a: [1] })"), (value: { a: number[] }) => value.a.push(2)],
    ["a foreign Map", () => foreign("new Map([[1, 1]])"), clear],
    ["a foreign Set", () => foreign("new Set([1])"), clear],
    ["a foreign Date", () => foreign("new Date(0)"), later],
    ["a foreign error", () => foreign("new Error('a')"), say],
    ["foreign bytes", () => foreign("new Uint8Array(2)"), bytes],
  ])("A snapshot of %s", (_, make, change) => {
    const value = make();
    const copy = snapshot([value]);
    change(value as never);
    expect(encode(copy)).toBe(encode([make()]));
    expect(encode(copy)).not.toBe(encode([value]));
  });
});
