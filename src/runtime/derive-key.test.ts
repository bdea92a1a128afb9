import { pbkdf2Sync, createDecipheriv } from "node:crypto";
import { afterEach, expect, it, vi } from "vitest";
import { errorOf } from "../testing/errors.ts";
import { deriveKey } from "./derive-key.ts";
import { isUsableKey } from "../values/key-source.ts";

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

const FAST = { iterations: 1000 };

it.each<[string, Uint8Array | string]>([
  ["a text", "a salt"],
  ["bytes", new TextEncoder().encode("a salt")],
])("deriveKey makes the key of PBKDF2 with SHA-256 from a passphrase and %s", async (_, salt) => {
  const key = await deriveKey("pässphrase", salt, FAST);
  expect(isUsableKey(key)).toBe(true);
  expect(key.extractable).toBe(false);
  const iv = new Uint8Array(12);
  const ciphertext = new Uint8Array(await crypto.subtle.encrypt({ name: "AES-GCM", iv }, key, new TextEncoder().encode("value")));
  const decipher = createDecipheriv("aes-256-gcm", pbkdf2Sync("pässphrase", "a salt", 1000, 32, "sha256"), iv);
  decipher.setAuthTag(ciphertext.subarray(-16));
  expect(decipher.update(ciphertext.subarray(0, -16), undefined, "utf8") + decipher.final("utf8")).toBe("value");
});

it("deriveKey takes 600,000 iterations unless it is told otherwise", async () => {
  const derive = vi.spyOn(crypto.subtle, "deriveKey").mockResolvedValue({} as CryptoKey);
  await deriveKey("passphrase", "salt");
  expect(derive.mock.calls[0]?.[0]).toMatchObject({ name: "PBKDF2", hash: "SHA-256", iterations: 600_000 });
});

it("A salt that changes after the call has no effect", async () => {
  const derive = vi.spyOn(crypto.subtle, "deriveKey").mockResolvedValue({} as CryptoKey);
  const salt = new Uint8Array([1, 2, 3]);
  const deriving = deriveKey("passphrase", salt, FAST);
  salt.fill(0);
  await deriving;
  expect(derive.mock.calls[0]?.[0]).toMatchObject({ salt: new Uint8Array([1, 2, 3]) });
});

it.each<[option: string | undefined, given: unknown[]]>([
  ["passphrase", ["", "salt"]],
  ["passphrase", [undefined, "salt"]],
  ["passphrase", ["\ud800", "salt"]],
  ["salt", ["passphrase", ""]],
  ["salt", ["passphrase", undefined]],
  ["salt", ["passphrase", new Uint8Array(0)]],
  ["salt", ["passphrase", [1, 2, 3]]],
  ["iterations", ["passphrase", "salt", { iterations: 0 }]],
  ["iterations", ["passphrase", "salt", { iterations: 1.5 }]],
  ["iterations", ["passphrase", "salt", { iterations: 2 ** 32 }]],
  ["iterations", ["passphrase", "salt", { iterations: "600000" }]],
  ["rounds", ["passphrase", "salt", { rounds: 1 }]],
  [undefined, ["passphrase", "salt", null]],
  [undefined, ["passphrase", "salt", 1000]],
])("deriveKey names the option %s when it is invalid", async (option, given) => {
  const error = await errorOf(() => (deriveKey as (...args: unknown[]) => Promise<CryptoKey>)(...given));
  expect({ code: error.code, option: error.option }).toEqual({ code: "INVALID_OPTION", option });
});

it("deriveKey rejects INSECURE_CONTEXT where a page has no crypto.subtle", async () => {
  vi.stubGlobal("crypto", {});
  expect(await errorOf(() => deriveKey("passphrase", "salt"))).toMatchObject({ code: "INSECURE_CONTEXT" });
});
