import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { codeOf, errorOf } from "../testing/errors.ts";
import { entryRow, sha256Of } from "../testing/rows.ts";
import type { KeyFormat, Payload } from "../model/metadata.ts";
import type { EntryRow, StoredPayload } from "../model/row.ts";
import { gzipPart } from "./gzip-part.ts";
import { readPayload } from "./pipeline-backward.ts";
import { compressPayload, finishPayload } from "./pipeline-forward.ts";

const utf8 = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);
const stored = async (...given: Parameters<typeof compressPayload>): Promise<StoredPayload> =>
  finishPayload(await compressPayload(...given));
const rowOf = (given: StoredPayload): EntryRow => ({ ...entryRow(), ...given });
const roundTrip = async (format: KeyFormat, payload: Payload, threshold: number): Promise<Payload> =>
  readPayload("k", rowOf(await stored(format, payload, threshold)));

const words = "the same words again and again ".repeat(50);

describe("Writing", () => {
  it("The pipeline counts and hashes the payload as UTF-8", async () => {
    expect(await stored("text", "größe", Infinity)).toEqual({ format: "text", payload: "größe", size: 7, checksum: sha256Of("größe") });
  });

  it("The pipeline compresses a payload above the threshold", async () => {
    const result = await stored("text", words, 1024);
    expect(result).toMatchObject({ encoding: "gzip", size: words.length, checksum: sha256Of(words) });
    expect(result.payload).toBeInstanceOf(Uint8Array);
    expect(result.payload.length).toBeLessThan(words.length);
    expect(result.storedChecksum).toBe(sha256Of(result.payload));
  });

  it("The pipeline stores a payload up to the threshold as it is", async () => {
    expect((await stored("text", words, words.length)).encoding).toBeUndefined();
    expect((await stored("text", words, words.length - 1)).encoding).toBe("gzip");
    expect((await stored("text", words, Infinity)).encoding).toBeUndefined();
  });

  it.each([0, 40_000, Infinity])("The pipeline encodes a text to UTF-8 once when the threshold is %d", async (threshold) => {
    const encode = vi.spyOn(TextEncoder.prototype, "encode").mockClear();
    await stored("text", words.repeat(10), threshold);
    await stored("text", "small", threshold);
    expect(encode).toHaveBeenCalledTimes(2);
  });

  it("The pipeline stores a payload as it is if the compression stage cannot be loaded", async () => {
    vi.spyOn(gzipPart, "load").mockRejectedValueOnce(new Error("offline"));
    expect(await stored("text", words, 0)).toEqual({ format: "text", payload: words, size: words.length, checksum: sha256Of(words) });
  });

  it("The pipeline stores a payload as it is if gzip does not make it smaller", async () => {
    const noise = crypto.getRandomValues(new Uint8Array(4096));
    const result = await stored("binary", noise, 0);
    expect(result).toEqual({ format: "binary", payload: noise, size: 4096, checksum: sha256Of(noise) });
  });
});

describe("Reading", () => {
  const text = fc.string({ unit: "grapheme", maxLength: 400 });

  it("readPayload returns the text that was stored, compressed or not", async () => {
    await fc.assert(
      fc.asyncProperty(text, fc.constantFrom(0, 10, Infinity), async (value, threshold) => {
        expect(await roundTrip("text", value, threshold)).toBe(value);
      }),
    );
  });

  it("readPayload returns the bytes that were stored, compressed or not", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array(), fc.constantFrom(0, Infinity), async (value, threshold) => {
        expect(await roundTrip("binary", new Uint8Array(value), threshold)).toEqual(new Uint8Array(value));
      }),
    );
  });

  it.each([Infinity, 0])("readPayload keeps a byte order mark at the start of a text when the threshold is %d", async (threshold) => {
    const payload = await roundTrip("text", `\uFEFF${words}`, threshold);
    expect(payload.slice(0, 4)).toBe("\uFEFFthe");
    expect(payload).toHaveLength(words.length + 1);
  });

  it("readPayload refuses an uncompressed payload if any one of its bytes is flipped", async () => {
    const payload = utf8("a payload");
    const row = rowOf(await stored("binary", payload, Infinity));
    for (let at = 0; at < payload.length; at++) {
      expect(await codeOf(() => readPayload("k", { ...row, payload: flip(payload, at) }))).toBe("CHECKSUM_MISMATCH");
    }
  });

  it("readPayload refuses a compressed payload if any one of its bytes is flipped", async () => {
    const row = rowOf(await stored("text", words, 0));
    const payload = row.payload as Uint8Array<ArrayBuffer>;
    for (let at = 0; at < payload.length; at++) {
      expect(await codeOf(() => readPayload("k", { ...row, payload: flip(payload, at) }))).toBe("CHECKSUM_MISMATCH");
    }
  });

  it("readPayload refuses text that was changed, cut off or extended", async () => {
    const row = rowOf(await stored("text", "a payload", Infinity));
    for (const payload of ["A payload", "a payloa", "a payload ", ""]) {
      expect(await errorOf(() => readPayload("k", { ...row, payload }))).toMatchObject({ code: "CHECKSUM_MISMATCH", key: "k" });
    }
  });

  it.each<[string, Partial<Record<keyof EntryRow, unknown>>]>([
    ["a payload that is neither text nor bytes", { payload: { length: 9 } }],
    ["no payload", { payload: undefined }],
    ["a typed array that is not a Uint8Array", { payload: new Uint16Array([1]) }],
    ["another checksum", { checksum: sha256Of("other") }],
    ["no checksum", { checksum: undefined }],
    ["another size", { size: 8 }],
    ["a text that claims to be compressed", { encoding: "gzip", storedChecksum: sha256Of("a payload") }],
  ])("readPayload refuses a row with %s", async (_, damage) => {
    const row = rowOf(await stored("text", "a payload", Infinity));
    expect(await codeOf(() => readPayload("k", { ...row, ...damage } as EntryRow))).toBe("CHECKSUM_MISMATCH");
  });

  it("readPayload refuses a valid gzip bomb as soon as it exceeds its declared size", async () => {
    const payload = new Uint8Array(gzipSync(new Uint8Array(20_000_000)));
    const row = entryRow({
      format: "binary",
      payload,
      encoding: "gzip",
      storedChecksum: sha256Of(payload),
      size: 1000,
      checksum: sha256Of(""),
    });
    expect(await errorOf(() => readPayload("k", row))).toMatchObject({ code: "DECODE_FAILED", key: "k" });
  });

  it("readPayload refuses valid compressed data if the decompressed payload has another checksum", async () => {
    const payload = new Uint8Array(gzipSync(utf8("something else")));
    const row = entryRow({ payload, encoding: "gzip", storedChecksum: sha256Of(payload), size: 14, checksum: sha256Of("a payload 1234") });
    expect(await codeOf(() => readPayload("k", row))).toBe("CHECKSUM_MISMATCH");
  });

  it("readPayload refuses a payload that claims to be compressed but is not gzip", async () => {
    const payload = utf8("no gzip");
    const row = entryRow({ payload, encoding: "gzip", storedChecksum: sha256Of(payload) });
    expect(await codeOf(() => readPayload("k", row))).toBe("DECODE_FAILED");
  });
});

function flip(bytes: Uint8Array<ArrayBuffer>, at: number): Uint8Array<ArrayBuffer> {
  const flipped = bytes.slice();
  flipped[at] = (flipped[at] ?? 0) ^ 0x01;
  return flipped;
}
