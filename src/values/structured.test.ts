import { isDeepStrictEqual } from "node:util";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { decode, encode, refusedAt, roundTrip } from "../testing/structured.ts";

describe("Round trips", () => {
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

  it("A round trip keeps any value, and the copy has the same text", () => {
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

  it("A round trip keeps cycles and shared references", () => {
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

  it("A round trip keeps an invalid Date, a URL and its search parameters", () => {
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

  it("A round trip keeps a far element of a sparse array, and every hole", () => {
    const sparse: unknown[] = [];
    sparse[500_000] = "x";
    const copy = roundTrip({ sparse, mixed: Object.assign([], { 0: 1, 2: undefined, 4: 2 }) });
    expect(copy.sparse).toHaveLength(500_001);
    expect(Object.keys(copy.sparse)).toEqual(["500000"]);
    expect(Object.keys(copy.mixed)).toEqual(["0", "2", "4"]);
  });

  it("A round trip accepts values of another realm", () => {
    const foreign: unknown = runInNewContext("({ map: new Map([[1, [2]]]), error: new RangeError('far') })");
    expect(decode(encode(foreign))).toEqual({ map: new Map([[1, [2]]]), error: new RangeError("far") });
  });

  it("A round trip keeps a Date while a test has replaced the global class", () => {
    class FakeDate extends Date {}
    vi.stubGlobal("Date", FakeDate);
    const copy = roundTrip(new FakeDate(5));
    vi.unstubAllGlobals();
    expect(copy).toBeInstanceOf(FakeDate);
    expect(copy.getTime()).toBe(5);
  });

  it("Decoding returns a fresh value each time", () => {
    const text = encode({ a: [1] });
    expect(decode(text)).not.toBe(decode(text));
  });
});

describe("Views", () => {
  const secret = Uint8Array.from("SECRET-ab-SECRET", (character) => character.charCodeAt(0)).buffer;

  it.each([
    ["a typed array", new Uint8Array(secret, 7, 2), new Uint8Array([97, 98])],
    ["a wider one", new Uint16Array(secret, 6, 2), new Uint16Array(secret.slice(6, 10))],
    ["a DataView", new DataView(secret, 7, 2), new DataView(Uint8Array.of(97, 98).buffer)],
    ["an empty one", new Uint8Array(secret, 3, 0), new Uint8Array()],
  ])("Encoding %s writes its own bytes only", (_, view, expected) => {
    const copy = roundTrip<unknown>(view) as ArrayBufferView;
    expect(isDeepStrictEqual(copy, expected)).toBe(true);
    expect(copy.buffer.byteLength).toBe(view.byteLength);
  });

  it("A round trip keeps a buffer shared if each view covers all of it", () => {
    const buffer = new ArrayBuffer(8);
    const copy = roundTrip([new Uint8Array(buffer), new Float64Array(buffer), buffer] as const);
    expect(copy[0].buffer).toBe(copy[2]);
    expect(copy[1].buffer).toBe(copy[2]);
  });

  it("Encoding refuses shared memory and transferred buffers", () => {
    expect(refusedAt({ a: new Uint8Array(new SharedArrayBuffer(4)) })).toBe("value.a.buffer");
    const gone = new ArrayBuffer(4);
    const view = new Uint8Array(gone);
    structuredClone(gone, { transfer: [gone] });
    expect(refusedAt([gone])).toBe("value[0]");
    expect(refusedAt([view])).toBe("value[0].buffer");
  });
});
