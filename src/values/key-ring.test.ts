import { createCipheriv } from "node:crypto";
import { describe, expect, it, vi } from "vitest";
import { errorOf } from "../testing/errors.ts";
import { newKey } from "../testing/keys.ts";
import { sha256Of } from "../testing/rows.ts";
import { isDamage } from "../util/errors.ts";
import { readEncrypted } from "./encrypted-payload.ts";
import { encrypterOf, findKey } from "./encryption.ts";
import { keyRingOf } from "./key-ring.ts";
import { areKeys, type CryptoKeySource } from "./key-source.ts";

const settings = (...key: CryptoKeySource[]) => ({ namespace: "test", encryption: { key } });
const compressed = { format: "text", original: "a", payload: "a" } as const;

async function write(encryptionSettings: ReturnType<typeof settings>) {
  return (await (await encrypterOf(encryptionSettings)).encrypt("k", compressed)).stored;
}

describe("A key id", () => {
  it("is the same for the same key and differs between keys, also where a key cannot be exported", async () => {
    const [key, other] = [await newKey(), await newKey()];
    const ids = await Promise.all([key, key, other].map(async (one) => (await keyRingOf({ key: one }).first()).id));
    expect(ids[0]).toMatch(/^[0-9a-f]{16}$/);
    expect(ids[1]).toBe(ids[0]);
    expect(ids[2]).not.toBe(ids[0]);
  });

  it("is the documented one: a truncated hash of the tag of an empty plaintext", async () => {
    const raw = new Uint8Array(32).fill(1);
    const cipher = createCipheriv("aes-256-gcm", raw, new Uint8Array(12)).setAAD(Buffer.from("nas-keystore/v1 key id"));
    cipher.final();
    const key = await crypto.subtle.importKey("raw", raw, "AES-GCM", false, ["encrypt", "decrypt"]);
    expect((await keyRingOf({ key }).first()).id).toBe(sha256Of(cipher.getAuthTag()).slice(0, 16));
  });
});

it("A key is usable whatever the order of its usages: WebKit lists them by name", async () => {
  const key = Object.defineProperty(await newKey(), "usages", { value: ["decrypt", "encrypt"] });
  expect(areKeys(key)).toBe(true);
  expect(await write(settings(key))).toHaveProperty("encryption");
});

describe("A list of keys", () => {
  it("encrypts with the first one and decrypts with all of them", async () => {
    const [old, next] = [await newKey(), await newKey()];
    const before = await write(settings(old));
    const rotated = settings(next, old);
    const after = await write(rotated);
    expect(await readEncrypted("k", before, rotated)).toBe("a");
    expect(await readEncrypted("k", after, settings(next))).toBe("a");
    expect(await errorOf(() => readEncrypted("k", after, settings(old)))).toMatchObject({ code: "DECRYPT_FAILED", key: "k" });
  });

  it("loads a later key only when an entry needs it", async () => {
    const key = await newKey();
    const later = vi.fn<() => Promise<CryptoKey>>(newKey);
    const both = settings(key, later);
    await readEncrypted("k", await write(both), both);
    expect(later).not.toHaveBeenCalled();
  });

  it("decrypts with a key although the function of another one fails", async () => {
    const key = await newKey();
    const failing = (): CryptoKey => {
      throw new Error("locked");
    };
    expect(await readEncrypted("k", await write(settings(key)), settings(failing, key))).toBe("a");
  });
});

describe("A function that returns the key", () => {
  it("is called once, by the first operation that needs the key", async () => {
    const source = vi.fn<() => Promise<CryptoKey>>(newKey);
    const one = settings(() => source());
    expect(source).not.toHaveBeenCalled();
    const stored = await Promise.all([write(one), write(one)]);
    await Promise.all(stored.map((row) => readEncrypted("k", row, one)));
    expect(source).toHaveBeenCalledOnce();
  });

  it.each([
    ["throws", () => { throw new Error("the secret"); }], // prettier-ignore
    ["rejects", () => Promise.reject(new Error("the secret"))],
  ])("and %s makes reads and writes reject DECRYPT_FAILED with its error as the cause, and is called again", async (_, fail) => {
    const key = await newKey();
    const row = await write(settings(key));
    const source = vi.fn<() => CryptoKey | Promise<CryptoKey>>(fail);
    const failing = settings(source);
    for (const call of [() => readEncrypted("k", row, failing), () => write(failing)]) {
      const error = await errorOf(call);
      expect(error).toMatchObject({ code: "DECRYPT_FAILED", cause: { message: "the secret" } });
      expect(error.message).not.toContain("the secret");
      expect(isDamage(error)).toBe(false);
    }
    expect(source).toHaveBeenCalledTimes(2);
    source.mockReturnValue(key);
    expect(await readEncrypted("k", row, failing)).toBe("a");
  });

  it.each<[string, () => unknown]>([
    ["nothing", () => undefined],
    ["a string", () => "secret"],
    ["a key that only encrypts", () => newKey(["encrypt"])],
    ["a key of another algorithm", () => crypto.subtle.generateKey({ name: "AES-CBC", length: 256 }, false, ["encrypt", "decrypt"])],
    [
      "an object that claims to be a key",
      () => ({ [Symbol.toStringTag]: "CryptoKey", algorithm: { name: "AES-GCM" }, usages: ["encrypt", "decrypt"] }),
    ],
  ])("and returns %s is INVALID_OPTION", async (_, source) => {
    expect(await errorOf(() => write(settings(source as () => CryptoKey)))).toMatchObject({ code: "INVALID_OPTION", option: "encryption" });
  });
});

describe("Stores that share a page", () => {
  it("find a key that one of them has, also while the function of another one never answers", async () => {
    const key = await newKey();
    const { encryption } = await write(settings(key));
    const hanging = settings(() => new Promise<CryptoKey>(() => undefined));
    expect(await findKey(encryption!.keyId, [hanging, { namespace: "test" }, settings(key)])).toBe(key);
  });

  it("report whether none of them encrypts or none of them has the key", async () => {
    const { encryption } = await write(settings(await newKey()));
    const other = settings(await newKey());
    expect((await errorOf(() => findKey(encryption!.keyId, []))).message).toContain('the store has no option "encryption"');
    expect((await errorOf(() => findKey(encryption!.keyId, [other]))).message).toContain("which is not in");
  });
});
