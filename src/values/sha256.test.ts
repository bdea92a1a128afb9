import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import { errorOf } from "../testing/errors.ts";
import { sha256Of } from "../testing/rows.ts";
import { sha256, smallHash } from "./sha256.ts";
import { smallSha256 } from "./small-sha256.ts";
import { bytesOf } from "../util/utf8.ts";

afterEach(() => {
  vi.unstubAllGlobals();
  smallHash.loaded = undefined;
});

describe("sha256 of a small payload", () => {
  it("sha256 uses our own hash instead of WebCrypto for up to 1,024 bytes, once it has loaded", async () => {
    const digest = vi.spyOn(crypto.subtle, "digest");
    const hashes = () => ({ small: sha256(new Uint8Array(1024)), large: sha256(new Uint8Array(1025)) });
    const slow = hashes();
    expect(digest).toHaveBeenCalledTimes(2);
    smallHash.loaded = smallSha256;
    const fast = hashes();
    expect(digest).toHaveBeenCalledTimes(3);
    expect(fast.small).toBe(await slow.small);
    expect(await fast.large).toBe(await slow.large);
  });

  it("sha256 throws in a page without WebCrypto all the same", () => {
    smallHash.loaded = smallSha256;
    vi.stubGlobal("crypto", {});
    expect(() => sha256(new Uint8Array(1))).toThrow(expect.objectContaining({ code: "INSECURE_CONTEXT" }));
  });
});

describe("sha256", () => {
  it("sha256 agrees with node:crypto about bytes", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array(), async (bytes) => {
        expect(await sha256(new Uint8Array(bytes))).toBe(sha256Of(bytes));
      }),
    );
  });

  it("sha256 agrees with node:crypto about text", async () => {
    const text = fc.string({ unit: "binary" });
    await fc.assert(
      fc.asyncProperty(text, async (value) => {
        expect(await sha256(bytesOf(value))).toBe(sha256Of(value));
      }),
    );
  });

  it("sha256 returns 64 lower-case hex digits", async () => {
    expect(await sha256(new Uint8Array())).toBe("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  });

  it.each<[string, unknown]>([
    ["crypto.subtle", {}],
    ["crypto", undefined],
  ])("sha256 tells a page without %s to be served over https", async (_, crypto) => {
    vi.stubGlobal("crypto", crypto);
    const error = await errorOf(async () => sha256(new Uint8Array()));
    expect(error.code).toBe("INSECURE_CONTEXT");
    expect(error.message).toContain("https");
  });
});
