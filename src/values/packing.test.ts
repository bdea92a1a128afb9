import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { codeOf, errorOf } from "../testing/errors.ts";
import { entryRow, sha256Of } from "../testing/rows.ts";
import type { KeyFormat, Payload } from "../model/metadata.ts";
import { compress, finishPayload, type StoredPayload } from "./packing.ts";
import type { EntryRow } from "../model/row.ts";
import { readPayload } from "./unpacking.ts";

const utf8 = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);
const pack = async (...given: Parameters<typeof compress>): Promise<StoredPayload> => finishPayload(await compress(...given));
const rowOf = (packed: StoredPayload): EntryRow => ({ ...entryRow(), ...packed });
const roundTrip = async (format: KeyFormat, payload: Payload, threshold: number): Promise<Payload> =>
  readPayload("k", rowOf(await pack(format, payload, threshold)));

const words = "the same words again and again ".repeat(50);

describe("pack", () => {
  it("counts and hashes the payload as UTF-8", async () => {
    expect(await pack("text", "größe", Infinity)).toEqual({ format: "text", payload: "größe", size: 7, checksum: sha256Of("größe") });
  });

  it("compresses what is above the threshold", async () => {
    const packed = await pack("text", words, 1024);
    expect(packed).toMatchObject({ encoding: "gzip", size: words.length, checksum: sha256Of(words) });
    expect(packed.payload).toBeInstanceOf(Uint8Array);
    expect(packed.payload.length).toBeLessThan(words.length);
    expect(packed.storedChecksum).toBe(sha256Of(packed.payload));
  });

  it("leaves what is not above the threshold as it is", async () => {
    expect((await pack("text", words, words.length)).encoding).toBeUndefined();
    expect((await pack("text", words, words.length - 1)).encoding).toBe("gzip");
    expect((await pack("text", words, Infinity)).encoding).toBeUndefined();
  });

  it("leaves what would not become smaller as it is", async () => {
    const noise = crypto.getRandomValues(new Uint8Array(4096));
    const packed = await pack("binary", noise, 0);
    expect(packed).toEqual({ format: "binary", payload: noise, size: 4096, checksum: sha256Of(noise) });
  });
});

describe("readPayload", () => {
  const text = fc.string({ unit: "grapheme", maxLength: 400 });

  it("gives back text, compressed or not", async () => {
    await fc.assert(
      fc.asyncProperty(text, fc.constantFrom(0, 10, Infinity), async (value, threshold) => {
        expect(await roundTrip("text", value, threshold)).toBe(value);
      }),
    );
  });

  it("gives back bytes, compressed or not", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array(), fc.constantFrom(0, Infinity), async (value, threshold) => {
        expect(await roundTrip("binary", new Uint8Array(value), threshold)).toEqual(new Uint8Array(value));
      }),
    );
  });

  it.each([Infinity, 0])("gives back text that begins with a byte order mark (threshold %d)", async (threshold) => {
    const payload = await roundTrip("text", `\uFEFF${words}`, threshold);
    expect(payload.slice(0, 4)).toBe("\uFEFFthe");
    expect(payload).toHaveLength(words.length + 1);
  });

  it("finds every flipped byte of a payload that is not compressed", async () => {
    const payload = utf8("a payload");
    const row = rowOf(await pack("binary", payload, Infinity));
    for (let at = 0; at < payload.length; at++) {
      expect(await codeOf(() => readPayload("k", { ...row, payload: flip(payload, at) }))).toBe("CHECKSUM_MISMATCH");
    }
  });

  it("finds every flipped byte of a compressed payload", async () => {
    const row = rowOf(await pack("text", words, 0));
    const payload = row.payload as Uint8Array<ArrayBuffer>;
    for (let at = 0; at < payload.length; at++) {
      expect(await codeOf(() => readPayload("k", { ...row, payload: flip(payload, at) }))).toBe("CHECKSUM_MISMATCH");
    }
  });

  it("finds text that was changed, cut off or added to", async () => {
    const row = rowOf(await pack("text", "a payload", Infinity));
    for (const payload of ["A payload", "a payloa", "a payload ", ""]) {
      expect(await errorOf(() => readPayload("k", { ...row, payload }))).toMatchObject({ code: "CHECKSUM_MISMATCH", key: "k" });
    }
  });

  it.each<[string, Partial<Record<keyof EntryRow, unknown>>]>([
    ["a payload that is no text and no bytes", { payload: { length: 9 } }],
    ["no payload", { payload: undefined }],
    ["bytes of another kind", { payload: new Uint16Array([1]) }],
    ["another checksum", { checksum: sha256Of("other") }],
    ["no checksum", { checksum: undefined }],
    ["another size", { size: 8 }],
    ["a text that claims to be compressed", { encoding: "gzip", storedChecksum: sha256Of("a payload") }],
  ])("refuses a row with %s", async (_, damage) => {
    const row = rowOf(await pack("text", "a payload", Infinity));
    expect(await codeOf(() => readPayload("k", { ...row, ...damage } as EntryRow))).toBe("CHECKSUM_MISMATCH");
  });

  it("refuses a bomb that is whole, at its declared size", async () => {
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

  it("refuses compressed data that is whole but holds something else", async () => {
    const payload = new Uint8Array(gzipSync(utf8("something else")));
    const row = entryRow({ payload, encoding: "gzip", storedChecksum: sha256Of(payload), size: 14, checksum: sha256Of("a payload 1234") });
    expect(await codeOf(() => readPayload("k", row))).toBe("CHECKSUM_MISMATCH");
  });

  it("refuses what claims to be compressed and is not", async () => {
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
