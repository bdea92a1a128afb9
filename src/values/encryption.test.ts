import { createDecipheriv } from "node:crypto";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { KeyFormat, Payload } from "../model/metadata.ts";
import type { EntryRow, StoredPayload } from "../model/row.ts";
import { codeOf, errorOf } from "../testing/errors.ts";
import { newKey } from "../testing/keys.ts";
import { entryRow, sha256Of } from "../testing/rows.ts";
import { isDamage } from "../util/errors.ts";
import { publishedRow, readEncrypted } from "./encrypted-payload.ts";
import { encrypterOf } from "./encryption.ts";
import type { EncryptionOptions } from "./key-source.ts";
import { readPayload } from "./pipeline-backward.ts";
import { compressPayload } from "./pipeline-forward.ts";

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

const NAMESPACE = "test";
const words = "the same words again and again ".repeat(50);
const PAYLOADS: readonly (readonly [KeyFormat, Payload])[] = [
  ["json", '{"a":1}'],
  ["text", ""],
  ["text", "\uFEFFwörds 😀"],
  ["text", words],
  ["binary", new Uint8Array([0, 255, 1])],
  ["binary", new Uint8Array(0)],
];

const settingsOf = (encryption: EncryptionOptions, namespace = NAMESPACE) => ({ namespace, encryption });

/** The row of a payload as a store with these options writes it, and the payload of its message if that is in plain text. */
async function encrypted(encryption: EncryptionOptions, format: KeyFormat, payload: Payload, threshold = Infinity, key = "k") {
  const encrypter = await encrypterOf(settingsOf(encryption));
  const { stored, message } = await encrypter.encrypt(key, await compressPayload(format, payload, threshold));
  return { row: { ...entryRow(), ...stored } as EntryRow, message };
}

const read = (row: StoredPayload, encryption: EncryptionOptions, key = "k", namespace = NAMESPACE) =>
  readEncrypted(key, row, settingsOf(encryption, namespace));

describe("An encrypted payload", () => {
  it.each([Infinity, 0])("is read as it was stored, in every format, when the compression threshold is %d", async (threshold) => {
    const encryption = { key: await newKey() };
    for (const [format, payload] of PAYLOADS) {
      const { row } = await encrypted(encryption, format, payload, threshold);
      expect(await read(row, encryption)).toEqual(payload);
    }
  });

  it("shows in its row neither the payload nor a checksum of it", async () => {
    for (const threshold of [Infinity, 0]) {
      const { row } = await encrypted({ key: await newKey() }, "text", words, threshold);
      expect(row.checksum).toBe(sha256Of(row.payload));
      expect(row.storedChecksum).toBeUndefined();
      const text = JSON.stringify({ ...row, payload: Buffer.from(row.payload as Uint8Array).toString("latin1") });
      for (const secret of ["words", sha256Of(words)]) expect(text).not.toContain(secret);
    }
  });

  it("decrypts without the library as the documentation says", async () => {
    const raw = new Uint8Array(32).fill(7);
    const key = await crypto.subtle.importKey("raw", raw, "AES-GCM", false, ["encrypt", "decrypt"]);
    const { row } = await encrypted({ key, messages: true }, "json", '{"a":1}', Infinity, "user:1\n2");
    const ciphertext = row.payload as Uint8Array;
    const decipher = createDecipheriv("aes-256-gcm", raw, Buffer.from(row.encryption!.nonce, "base64"));
    decipher.setAAD(Buffer.from("nas-keystore/v1\nmessage\ntest\njson\n\nuser:1\n2"));
    decipher.setAuthTag(ciphertext.subarray(-16));
    expect(decipher.update(ciphertext.subarray(0, -16), undefined, "utf8") + decipher.final("utf8")).toBe('{"a":1}');
  });

  it("with one changed bit is refused with CHECKSUM_MISMATCH, and with its checksum changed too with DECRYPT_FAILED", async () => {
    const encryption = { key: await newKey() };
    const { row } = await encrypted(encryption, "text", "a payload");
    for (let at = 0; at < row.payload.length; at++) {
      const payload = (row.payload as Uint8Array<ArrayBuffer>).slice();
      payload[at]! ^= 1;
      expect(await codeOf(() => read({ ...row, payload }, encryption))).toBe("CHECKSUM_MISMATCH");
      const error = await errorOf(() => read({ ...row, payload, checksum: sha256Of(payload) }, encryption));
      expect(error).toMatchObject({ code: "DECRYPT_FAILED", key: "k" });
      expect(isDamage(error)).toBe(true);
    }
  });

  it.each<[string, (row: EntryRow) => Partial<Record<keyof EntryRow, unknown>>]>([
    ["another format", () => ({ format: "json" })],
    ["another encoding", () => ({ encoding: "gzip" })],
    ["another nonce", ({ encryption }) => ({ encryption: { ...encryption, nonce: "AAAAAAAAAAAAAAAA" } })],
    ["a nonce that is not base64", ({ encryption }) => ({ encryption: { ...encryption, nonce: "?" } })],
    ["an empty nonce", ({ encryption }) => ({ encryption: { ...encryption, nonce: "" } })],
    ["its message in plain text", ({ encryption }) => ({ encryption: { ...encryption, messages: false } })],
    ["no key id", ({ encryption }) => ({ encryption: { ...encryption, keyId: undefined } })],
    ["null in place of what encrypts it", () => ({ encryption: null })],
    ["a number in place of what encrypts it", () => ({ encryption: 1 })],
  ])("is refused as damaged when the row has %s", async (_, damage) => {
    const encryption = { key: await newKey(), messages: true };
    const { row } = await encrypted(encryption, "text", "a payload");
    const error = await errorOf(() => read({ ...row, ...damage(row) } as EntryRow, encryption));
    expect(error).toMatchObject({ code: "DECRYPT_FAILED", key: "k" });
    expect(isDamage(error)).toBe(true);
  });

  it("is refused as damaged when the row has another size", async () => {
    const encryption = { key: await newKey() };
    for (const threshold of [Infinity, 0]) {
      const { row } = await encrypted(encryption, "text", words, threshold);
      expect(await codeOf(() => read({ ...row, size: 1 }, encryption))).toBe("DECODE_FAILED");
    }
  });

  it("is refused under another key and in another namespace, also where the parts join to the same text", async () => {
    const encryption = { key: await newKey() };
    const { row } = await encrypted(encryption, "text", "a payload");
    expect(await codeOf(() => read(row, encryption, "other"))).toBe("DECRYPT_FAILED");
    expect(await codeOf(() => read(row, encryption, "k", "other"))).toBe("DECRYPT_FAILED");
    const { row: odd } = await encrypted(encryption, "text", "a payload", Infinity, "\nk");
    expect(await codeOf(() => read({ ...odd, encoding: "gzip" }, encryption, "k"))).toBe("DECRYPT_FAILED");
  });

  it("cannot be made where a page has no crypto.subtle", async () => {
    const encryption = { key: await newKey() };
    vi.stubGlobal("crypto", {});
    expect(await codeOf(() => encrypterOf(settingsOf(encryption)))).toBe("INSECURE_CONTEXT");
  });

  it("never repeats a nonce in 100,000 writes of the same payload", async () => {
    const encrypter = await encrypterOf(settingsOf({ key: await newKey(), messages: true }));
    const compressed = { format: "text", original: "a", payload: "a" } as const;
    const nonces = new Set<string>();
    for (let batch = 0; batch < 100; batch++) {
      const written = await Promise.all(Array.from({ length: 1000 }, () => encrypter.encrypt("k", compressed)));
      for (const { stored } of written) nonces.add(stored.encryption!.nonce);
    }
    expect(nonces.size).toBe(100_000);
  }, 60_000);

  it("never has the nonce of key ids", async () => {
    const encrypter = await encrypterOf(settingsOf({ key: await newKey() }));
    const random = vi.spyOn(crypto, "getRandomValues").mockImplementationOnce((bytes) => bytes);
    const { stored } = await encrypter.encrypt("k", { format: "text", original: "a", payload: "a" });
    expect(random).toHaveBeenCalledTimes(2);
    expect(stored.encryption!.nonce).not.toBe("AAAAAAAAAAAAAAAA");
  });
});

describe("The message of an encrypted entry", () => {
  it.each([Infinity, 0])(
    "is what a store without encryption publishes, at once and from the row, with the threshold %d",
    async (threshold) => {
      const encryption = { key: await newKey() };
      for (const [format, payload] of PAYLOADS) {
        const { row, message } = await encrypted(encryption, format, payload, threshold);
        const compressed = await compressPayload(format, payload, threshold);
        expect({ encoding: undefined, ...message }).toMatchObject({
          format,
          payload: compressed.payload,
          encoding: compressed.encoding,
          checksum: sha256Of(payload),
        });
        const published = await publishedRow(NAMESPACE, "k", row, [settingsOf(encryption)]);
        expect(published).toMatchObject(message!);
        expect(published).not.toHaveProperty("encryption");
      }
    },
  );

  it("is the ciphertext with messages: true, whether the page has the key or not", async () => {
    const { row, message } = await encrypted({ key: await newKey(), messages: true }, "text", "a payload");
    expect(message).toBeUndefined();
    expect(await publishedRow(NAMESPACE, "k", row, [])).toBe(row);
    expect(await codeOf(() => publishedRow(NAMESPACE, "k", { ...row, checksum: "" }, []))).toBe("CHECKSUM_MISMATCH");
  });

  it("comes from a row that reads like one that was never encrypted", async () => {
    const encryption = { key: [await newKey(), await newKey()] };
    for (const threshold of [Infinity, 0]) {
      const { row } = await encrypted(encryption, "text", words, threshold);
      const plain = (await publishedRow(NAMESPACE, "k", row, [settingsOf(encryption)]))!;
      expect(plain).not.toHaveProperty("encryption");
      expect(await readPayload("k", plain)).toBe(words);
    }
  });

  it("cannot be made from the row while no store of the page has loaded the key", async () => {
    const encryption = { key: await newKey() };
    const { row } = await encrypted(encryption, "text", "a payload");
    const others = [settingsOf({ key: await newKey() }), { namespace: NAMESPACE }, settingsOf({ key: encryption.key })];
    expect(await publishedRow(NAMESPACE, "k", row, others)).toBeUndefined();
    expect(await publishedRow(NAMESPACE, "k", row, [...others, settingsOf(encryption)])).toBeDefined();
  });
});
