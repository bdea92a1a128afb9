import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { gunzipSync, gzipSync } from "node:zlib";
import { caught } from "../testing/errors.ts";
import { gunzip, gzip } from "./gzip.ts";

const bytes = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);
const text = bytes("the same words again and again ".repeat(100));

describe("gzip", () => {
  it("gzip is undone by gunzip", async () => {
    const repeated = fc.tuple(fc.uint8Array({ maxLength: 200 }), fc.integer({ min: 1, max: 300 }));
    await fc.assert(
      fc.asyncProperty(repeated, async ([unit, times]) => {
        const input = new Uint8Array(unit.length * times);
        for (let at = 0; at < times; at++) input.set(unit, at * unit.length);
        const output = gunzip(gzip(input), input.length);
        expect(Buffer.compare(output, input)).toBe(0);
      }),
    );
  });

  it("gzip of an input that is larger than the limit is undone by gunzip, if the result is not", () => {
    const input = bytes("the same words again and again ".repeat(10_000));
    expect(gunzip(gzip(input, input.length - 1), input.length)).toEqual(input);
  });

  it("gzip stops soon after its result is larger than the limit", () => {
    const noise = new Uint8Array(4_000_000);
    for (let at = 0; at < noise.length; at += 50_000) crypto.getRandomValues(noise.subarray(at, at + 50_000));
    const { length } = gzip(noise, 1_000);
    expect(length).toBeGreaterThan(1_000);
    expect(length).toBeLessThan(300_000);
  });

  it("gzip is compatible with the gzip of Node", async () => {
    expect(new Uint8Array(gunzipSync(gzip(text)))).toEqual(text);
    expect(gunzip(new Uint8Array(gzipSync(text)), text.length)).toEqual(text);
  });

  it("gzip returns the same bytes for the same input", async () => {
    expect(gzip(text)).toEqual(gzip(text.slice()));
  });

  it("gzip produces a stream that gunzip decompresses to a buffer of its own", async () => {
    const packed = gzip(text);
    const output = gunzip(packed, text.length);
    expect(output.buffer.byteLength).toBe(text.length);
  });
});

describe("gunzip", () => {
  it("gunzip refuses a gzip bomb as soon as it exceeds the declared size", async () => {
    const bomb = new Uint8Array(gzipSync(new Uint8Array(60_000_000)));
    expect(await caught(() => gunzip(bomb, 1000))).toBeInstanceOf(RangeError);
  });

  it.each([-1, 1, 1000])("gunzip refuses a declared size that is wrong by %i", async (wrong) => {
    const packed = gzip(text);
    expect(await caught(() => gunzip(packed, text.length + wrong))).toBeInstanceOf(RangeError);
  });

  it("gunzip refuses a declared size that is not a number of bytes", async () => {
    const packed = gzip(text);
    for (const size of [Number.NaN, -1, Infinity, 2 ** 53]) expect(await caught(() => gunzip(packed, size))).toBeInstanceOf(Error);
  });

  it("gunzip refuses a stream that is cut off anywhere in its data", async () => {
    const packed = gzip(text);
    for (let length = 0; length < packed.length - 8; length++) {
      expect(await caught(() => gunzip(packed.subarray(0, length), text.length))).toBeInstanceOf(Error);
    }
  });

  it("gunzip refuses a stream that is followed by a second member", async () => {
    const packed = gzip(text);
    const twice = new Uint8Array([...packed, ...packed]);
    expect(await caught(() => gunzip(twice, text.length))).toBeInstanceOf(Error);
  });

  it("gunzip refuses bytes that are not gzip", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 64 }), async (noise) => {
        expect(await caught(() => gunzip(noise, 1_000_000))).toBeInstanceOf(Error);
      }),
    );
  });
});

it("gunzip returns exactly the declared number of bytes, or throws, whatever bytes follow the stream", async () => {
  const packed = gzip(text);
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 40 }), async (garbage) => {
      try {
        expect(gunzip(new Uint8Array([...packed, ...garbage]), text.length)).toEqual(text);
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
      }
    }),
  );
  expect(gunzip(packed, text.length)).toEqual(text);
});
