import fc from "fast-check";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { caught, codeOf, errorOf } from "../testing/errors.ts";
import type { KeyFormat, Payload } from "../model/metadata.ts";
import * as pipeline from "./pipeline.ts";
import { snapshot } from "./snapshot.ts";

const { decode, encode, encodeCopy } = pipeline;

/** The value that a payload decodes to. */
async function decoded(payload: Payload, format: KeyFormat, { decode: decodeWith } = pipeline): Promise<unknown> {
  return (await decodeWith("k", payload, format)).value;
}

/** A page that has not loaded the serializer of structured values. */
async function freshPage(): Promise<typeof import("./pipeline.ts")> {
  vi.resetModules();
  return import("./pipeline.ts");
}

function revokedProxy(): unknown {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

describe("The format text", () => {
  it("The format text stores every well-formed string as it is", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        expect(encode("k", text, "text")).toBe(text);
        expect(decode("k", text, "text")).toEqual({ value: text });
      }),
    );
  });

  it.each<[string, unknown, RegExp]>([
    ["null", null, /not null/],
    ["a number", 1, /type number/],
    ["an array", ["a"], /type object/],
    ["a String object", Object("a"), /type object/],
    ["undefined", undefined, /type undefined/],
    ["a revoked proxy", revokedProxy(), /type object/],
    ["half of a surrogate pair", "a\uD83D", /well-formed/],
  ])("The format text refuses %s", async (_, value, message) => {
    const error = await errorOf(() => encode("k", value, "text"));
    expect(error).toMatchObject({ code: "INVALID_VALUE", key: "k", message: expect.stringMatching(message) as string });
  });
});

describe("The format binary", () => {
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
  ])("The format binary takes %s", async (_, value, expected) => {
    const payload = (await encode("k", value, "binary")) as Uint8Array;
    expect([...payload]).toEqual(expected);
    expect(await encodeCopy("k", snapshot({ "": value }), "binary")).toEqual(payload);
    expect(payload.constructor).toBe(Uint8Array);
    expect(payload.buffer).toBeInstanceOf(ArrayBuffer);
    expect(payload.buffer.byteLength).toBe(expected.length);
  });

  it.each<[string, (buffer: ArrayBuffer) => unknown]>([
    ["an ArrayBuffer", (buffer) => buffer],
    ["a Uint8Array", (buffer) => new Uint8Array(buffer)],
    ["a DataView", (buffer) => new DataView(buffer)],
    ["a Buffer", (buffer) => Buffer.from(buffer)],
  ])("The format binary copies the bytes of %s in the call, so that later changes do not reach the payload", (_, wrap) => {
    const bytes = new Uint8Array([1, 2, 3]);
    const payload = encode("k", wrap(bytes.buffer), "binary");
    bytes.fill(9);
    expect(payload).toEqual(new Uint8Array([1, 2, 3]));
  });

  it("The format binary returns fresh bytes at every read", async () => {
    const payload = new Uint8Array([1, 2, 3]);
    const one = (await decoded(payload, "binary")) as Uint8Array;
    one.fill(9);
    expect(await decoded(payload, "binary")).toEqual(new Uint8Array([1, 2, 3]));
  });

  it.each<[string, unknown]>([
    ["a string", "abc"],
    ["null", null],
    ["an array", [1, 2]],
    ["an object with a length", { length: 1, 0: 1 }],
    ["a buffer of shared memory", new SharedArrayBuffer(1)],
    ["a revoked proxy", revokedProxy()],
  ])("The format binary refuses %s", async (_, value) => {
    expect(await errorOf(() => encode("k", value, "binary"))).toMatchObject({ code: "INVALID_VALUE", key: "k" });
  });

  it("The format binary refuses a buffer or a view whose bytes were transferred to a worker", async () => {
    const transferred = new ArrayBuffer(8);
    const view = new Uint8Array(transferred);
    structuredClone(transferred, { transfer: [transferred] });
    expect(await caught(() => encode("k", transferred, "binary"))).toMatchObject({ code: "INVALID_VALUE" });
    expect(await caught(() => encode("k", view, "binary"))).toMatchObject({ code: "INVALID_VALUE" });
  });

  it("The format binary refuses a Blob whose file is gone, and quotes the error of the browser", async () => {
    const blob = new Blob(["x"]);
    blob.arrayBuffer = () => Promise.reject(new Error("NotReadableError"));
    expect(await errorOf(() => encode("k", blob, "binary"))).toMatchObject({
      code: "INVALID_VALUE",
      message: expect.stringContaining("NotReadableError") as string,
    });
  });
});

describe("The format json", () => {
  it("The format json encodes a value in the call itself and decodes it to a fresh value", async () => {
    const value = { list: [1] };
    const payload = encode("k", value, "json");
    value.list.push(2);
    expect(payload).toBe('{"list":[1]}');
    const one = (await decoded('{"list":[1]}', "json")) as typeof value;
    one.list.push(2);
    expect(await decoded('{"list":[1]}', "json")).toEqual({ list: [1] });
  });
});

describe("The format structured", () => {
  let page: typeof import("./pipeline.ts");
  beforeEach(async () => {
    page = await freshPage();
  });

  it("The format structured round-trips what JSON cannot keep", async () => {
    const value = { at: new Date(5), map: new Map([[1n, new Set([-0])]]), bytes: new Uint8Array([1]) };
    const payload = await page.encode("k", value, "structured");
    expect(await decoded(payload, "structured", page)).toEqual(value);
  });

  it("The format structured returns a promise only for the first value of a page", async () => {
    const first = page.encode("k", 1, "structured");
    expect(first).toBeInstanceOf(Promise);
    await first;
    expect(page.encode("k", 1, "structured")).toBeTypeOf("string");
    expect(page.decode("k", "[1]", "structured")).toEqual({ value: 1 });
  });

  it("The format structured captures the value at the time of the call, also the first of a page", async () => {
    const value = { list: [1], map: new Map([["a", 1]]) };
    const encoding = page.encode("k", value, "structured");
    value.list.push(2);
    value.map.clear();
    expect(await decoded(await encoding, "structured", page)).toEqual({ list: [1], map: new Map([["a", 1]]) });
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
  ])("The format structured refuses %s with the same error, whether or not it is the first value of a page", async (_, make) => {
    const first = await caught(() => page.encode("k", make(), "structured"));
    expect(first).toMatchObject({ name: "KeyStoreError", code: "INVALID_VALUE", key: "k" });
    await page.encode("k", 1, "structured");
    const later = await caught(() => page.encode("k", make(), "structured"));
    expect(later).toMatchObject({ name: "KeyStoreError", code: "INVALID_VALUE", key: "k" });
  });

  it("The format structured refuses damaged text", async () => {
    expect(await codeOf(() => page.decode("k", "[[1,99]]", "structured"))).toBe("DECODE_FAILED");
    expect(await codeOf(() => page.decode("k", "no", "structured"))).toBe("DECODE_FAILED");
  });
});

describe("Decoding", () => {
  it.each<[string, string | Uint8Array<ArrayBuffer>, string]>([
    ["bytes as json", new Uint8Array(1), "json"],
    ["bytes as text", new Uint8Array(1), "text"],
    ["bytes as structured", new Uint8Array(1), "structured"],
    ["text as binary", "a", "binary"],
    ["a format it does not know", "a", "pickle"],
    ["a name of Object.prototype as format", "a", "constructor"],
  ])("Decoding refuses %s", async (_, payload, format) => {
    expect(await errorOf(() => decode("k", payload, format as KeyFormat))).toMatchObject({ code: "DECODE_FAILED", key: "k" });
  });
});
