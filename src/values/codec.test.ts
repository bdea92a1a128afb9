import fc from "fast-check";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { caught, codeOf, errorOf } from "../testing/errors.ts";
import { decode, encode } from "./codec.ts";
import type { KeyFormat } from "../model/metadata.ts";

/** A page on which nothing structured was seen yet. */
async function freshPage(): Promise<typeof import("./codec.ts")> {
  vi.resetModules();
  return import("./codec.ts");
}

describe("text", () => {
  it("keeps every well-formed string as it is", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        expect(encode("k", text, "text")).toBe(text);
        expect(decode("k", text, "text")).toBe(text);
      }),
    );
  });

  it.each<[string, unknown, RegExp]>([
    ["null", null, /not null/],
    ["a number", 1, /type number/],
    ["an array", ["a"], /not an array/],
    ["a String object", Object("a"), /type object/],
    ["undefined", undefined, /type undefined/],
    ["half of a surrogate pair", "a\uD83D", /well-formed/],
  ])("refuses %s", async (_, value, message) => {
    const error = await errorOf(() => encode("k", value, "text"));
    expect(error).toMatchObject({ code: "INVALID_VALUE", key: "k", message: expect.stringMatching(message) as string });
  });
});

describe("binary", () => {
  const buffer = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]).buffer;

  it.each<[string, unknown, number[]]>([
    ["an ArrayBuffer", buffer, [1, 2, 3, 4, 5, 6, 7, 8]],
    ["a Uint8Array", new Uint8Array([9, 8]), [9, 8]],
    ["a view on a part of a buffer", new Uint8Array(buffer, 2, 3), [3, 4, 5]],
    ["a DataView", new DataView(buffer, 6), [7, 8]],
    ["a wider view, as its bytes", new Uint16Array(buffer, 2, 1), [3, 4]],
    ["a Buffer out of a pool", Buffer.from([1, 2]), [1, 2]],
    ["a view on shared memory", new Uint8Array(new SharedArrayBuffer(2)), [0, 0]],
    ["nothing", new Uint8Array(), []],
    ["a Blob", new Blob([new Uint8Array([4, 2])]), [4, 2]],
  ])("takes %s", async (_, value, expected) => {
    const payload = (await encode("k", value, "binary")) as Uint8Array;
    expect([...payload]).toEqual(expected);
    expect(payload.constructor).toBe(Uint8Array);
    expect(payload.buffer).toBeInstanceOf(ArrayBuffer);
    expect(payload.buffer.byteLength).toBe(expected.length);
  });

  it.each<[string, (buffer: ArrayBuffer) => unknown]>([
    ["an ArrayBuffer", (buffer) => buffer],
    ["a Uint8Array", (buffer) => new Uint8Array(buffer)],
    ["a DataView", (buffer) => new DataView(buffer)],
    ["a Buffer", (buffer) => Buffer.from(buffer)],
  ])("copies the bytes of %s in the call, so that later changes do not reach the payload", (_, wrap) => {
    const bytes = new Uint8Array([1, 2, 3]);
    const payload = encode("k", wrap(bytes.buffer), "binary");
    bytes.fill(9);
    expect(payload).toEqual(new Uint8Array([1, 2, 3]));
  });

  it("hands out fresh bytes at every read", () => {
    const payload = new Uint8Array([1, 2, 3]);
    const one = decode("k", payload, "binary") as Uint8Array;
    one.fill(9);
    expect(decode("k", payload, "binary")).toEqual(new Uint8Array([1, 2, 3]));
  });

  it.each<[string, unknown]>([
    ["a string", "abc"],
    ["null", null],
    ["an array", [1, 2]],
    ["an object with a length", { length: 1, 0: 1 }],
    ["a buffer of shared memory", new SharedArrayBuffer(1)],
  ])("refuses %s", async (_, value) => {
    expect(await errorOf(() => encode("k", value, "binary"))).toMatchObject({ code: "INVALID_VALUE", key: "k" });
  });

  it("refuses what was transferred to a worker, buffers and views alike", async () => {
    const transferred = new ArrayBuffer(8);
    const view = new Uint8Array(transferred);
    structuredClone(transferred, { transfer: [transferred] });
    expect(await caught(() => encode("k", transferred, "binary"))).toMatchObject({ code: "INVALID_VALUE" });
    expect(await caught(() => encode("k", view, "binary"))).toMatchObject({ code: "INVALID_VALUE" });
  });

  it("refuses a Blob whose file is gone, with what the browser says", async () => {
    const blob = new Blob(["x"]);
    blob.arrayBuffer = () => Promise.reject(new Error("NotReadableError"));
    expect(await errorOf(() => encode("k", blob, "binary"))).toMatchObject({
      code: "INVALID_VALUE",
      message: expect.stringContaining("NotReadableError") as string,
    });
  });
});

describe("json", () => {
  it("is encoded in the call itself and decoded to a fresh value", () => {
    const value = { list: [1] };
    const payload = encode("k", value, "json");
    value.list.push(2);
    expect(payload).toBe('{"list":[1]}');
    const one = decode("k", '{"list":[1]}', "json") as typeof value;
    one.list.push(2);
    expect(decode("k", '{"list":[1]}', "json")).toEqual({ list: [1] });
  });
});

describe("structured", () => {
  let page: typeof import("./codec.ts");
  beforeEach(async () => {
    page = await freshPage();
  });

  it("round-trips what JSON cannot keep", async () => {
    const value = { at: new Date(5), map: new Map([[1n, new Set([-0])]]), bytes: new Uint8Array([1]) };
    const payload = await page.encode("k", value, "structured");
    expect(await page.decode("k", payload, "structured")).toEqual(value);
  });

  it("waits only for the first value of a page", async () => {
    const first = page.encode("k", 1, "structured");
    expect(first).toBeInstanceOf(Promise);
    await first;
    expect(page.encode("k", 1, "structured")).toBeTypeOf("string");
    expect(page.decode("k", "[1]", "structured")).toBe(1);
  });

  it("takes the value as it is in the call, the first of a page too", async () => {
    const value = { list: [1], map: new Map([["a", 1]]) };
    const encoding = page.encode("k", value, "structured");
    value.list.push(2);
    value.map.clear();
    expect(await page.decode("k", await encoding, "structured")).toEqual({ list: [1], map: new Map([["a", 1]]) });
  });

  it.each<[string, () => unknown]>([
    ["a function", () => ({ a: () => 1 })],
    [
      "a class instance",
      () =>
        new (class Point {
          x = 1;
        })(),
    ],
    [
      "a getter that throws",
      () => ({
        get a(): number {
          throw new Error("no a today");
        },
      }),
    ],
    [
      "transferred bytes",
      () => {
        const bytes = new Uint8Array(8);
        structuredClone(bytes, { transfer: [bytes.buffer] });
        return { bytes };
      },
    ],
  ])("refuses %s with the same error, the first of a page or not", async (_, make) => {
    const first = await caught(() => page.encode("k", make(), "structured"));
    expect(first).toMatchObject({ name: "KeyStoreError", code: "INVALID_VALUE", key: "k" });
    await page.encode("k", 1, "structured");
    const later = await caught(() => page.encode("k", make(), "structured"));
    expect(later).toMatchObject({ name: "KeyStoreError", code: "INVALID_VALUE", key: "k" });
  });

  it("refuses damaged text", async () => {
    expect(await codeOf(() => page.decode("k", "[[1,99]]", "structured"))).toBe("DECODE_FAILED");
    expect(await codeOf(() => page.decode("k", "no", "structured"))).toBe("DECODE_FAILED");
  });
});

describe("decoding refuses", () => {
  it.each<[string, string | Uint8Array<ArrayBuffer>, string]>([
    ["bytes as json", new Uint8Array(1), "json"],
    ["bytes as text", new Uint8Array(1), "text"],
    ["bytes as structured", new Uint8Array(1), "structured"],
    ["text as binary", "a", "binary"],
    ["a format it does not know", "a", "pickle"],
    ["a name of Object.prototype as format", "a", "constructor"],
  ])("%s", async (_, payload, format) => {
    expect(await errorOf(() => decode("k", payload, format as KeyFormat))).toMatchObject({ code: "DECODE_FAILED", key: "k" });
  });
});
