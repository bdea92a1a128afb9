import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import { errorOf } from "../testing/errors.ts";
import { sha256Of } from "../testing/rows.ts";
import { bytesOf, setSmallSha256, sha256 } from "./checksum.ts";
import { smallSha256 } from "./small-sha256.ts";

afterEach(() => {
  vi.unstubAllGlobals();
  setSmallSha256(undefined);
});

describe("sha256 of a small payload", () => {
  it("does not use WebCrypto once the faster hash has loaded, up to 1,024 bytes", async () => {
    const digest = vi.spyOn(crypto.subtle, "digest");
    const hashes = (): (string | Promise<string>)[] => [1024, 1025].map((length) => sha256(new Uint8Array(length)));
    const slow = await Promise.all(hashes().map(async (hash) => hash));
    expect(digest).toHaveBeenCalledTimes(2);
    setSmallSha256(smallSha256);
    const [small, large] = hashes();
    expect(digest).toHaveBeenCalledTimes(3);
    expect([small, await large]).toEqual(slow);
  });

  it("still throws in a page without WebCrypto", () => {
    setSmallSha256(smallSha256);
    vi.stubGlobal("crypto", {});
    expect(() => sha256(new Uint8Array(1))).toThrow(expect.objectContaining({ code: "INSECURE_CONTEXT" }));
  });
});

describe("sha256", () => {
  it("says what node:crypto says, of bytes", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array(), async (bytes) => {
        expect(await sha256(new Uint8Array(bytes))).toBe(sha256Of(bytes));
      }),
    );
  });

  it("says what node:crypto says, of text", async () => {
    const text = fc.string({ unit: "binary" });
    await fc.assert(
      fc.asyncProperty(text, async (value) => {
        expect(await sha256(bytesOf(value))).toBe(sha256Of(value));
      }),
    );
  });

  it("gives 64 lower-case hex digits", async () => {
    expect(await sha256(new Uint8Array())).toBe("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  });

  it.each<[string, unknown]>([
    ["crypto.subtle", {}],
    ["crypto", undefined],
  ])("tells a page without %s to be served over https", async (_, crypto) => {
    vi.stubGlobal("crypto", crypto);
    const error = await errorOf(async () => sha256(new Uint8Array()));
    expect(error.code).toBe("INSECURE_CONTEXT");
    expect(error.message).toContain("https");
  });
});
