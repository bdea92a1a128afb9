import { randomBytes } from "node:crypto";
import { gunzipSync } from "node:zlib";
import { expect, reload, test } from "./support/fixtures.ts";
import { sha256 } from "./support/messages.ts";

test.describe("compression", () => {
  const text = "All work and no play makes Jack a dull boy. ".repeat(200);

  for (const format of ["json", "text", "binary", "structured"] as const) {
    test(`compression publishes ${format} payloads as valid gzip`, async ({ page, openStore, wire }) => {
      await openStore({ compression: true });
      const read = await page.evaluate(
        async ([text, format]) => {
          const value = format === "binary" ? new TextEncoder().encode(text) : text;
          await store.store("k", value, { format });
          const all = [await store.retrieve("k"), await store.retrieve("k", { useCache: false })];
          const { size, checksum } = (await store.getMetadata("k"))!;
          return [...all.map((copy) => (typeof copy === "string" ? copy : new TextDecoder().decode(copy as Uint8Array))), size, checksum];
        },
        [text, format] as const,
      );
      expect(read.slice(0, 2)).toEqual([text, text]);

      const [message] = await wire.waitFor(1);
      const metadata = message?.envelope?.metadata;
      const packed = Buffer.from(message?.envelope?.value ?? "", "base64");
      const payload = gunzipSync(packed);
      expect(metadata?.encoding).toBe("gzip");
      expect(packed.length).toBeLessThan(payload.length);
      if (format === "json") expect(payload.toString()).toBe(JSON.stringify(text));
      if (format === "text" || format === "binary") expect(payload.toString()).toBe(text);
      expect(metadata).toMatchObject({ checksum: sha256(payload), size: payload.length, format });
      expect(read.slice(2)).toEqual([payload.length, sha256(payload)]);
    });
  }

  test("compression applies to payloads above 1 KiB by default", async ({ page, openStore, wire }) => {
    await openStore({ compression: true });
    await page.evaluate(async () => {
      await store.store("1024", "x".repeat(1024), { format: "text" });
      await store.store("1025", "x".repeat(1025), { format: "text" });
      await store.store("1026 bytes in fewer characters", "é".repeat(513), { format: "text" });
    });
    const encodings = (await wire.waitFor(3)).map(({ envelope }) => envelope?.metadata?.encoding);
    expect(encodings).toEqual([undefined, "gzip", "gzip"]);
  });

  test("compression applies to payloads above the given threshold", async ({ page, openStore, wire }) => {
    await openStore({ compression: { thresholdBytes: 100 } });
    await page.evaluate(async () => {
      await store.store("100", "x".repeat(100), { format: "text" });
      await store.store("101", "x".repeat(101), { format: "text" });
    });
    const encodings = (await wire.waitFor(2)).map(({ envelope }) => envelope?.metadata?.encoding);
    expect(encodings).toEqual([undefined, "gzip"]);
  });

  test("compression skips payloads that gzip does not make smaller", async ({ page, openStore, wire }) => {
    const bytes = randomBytes(5000);
    await openStore({ compression: true });
    await page.evaluate((numbers) => store.store("noise", Uint8Array.from(numbers), { format: "binary" }), [...bytes]);
    const [message] = await wire.waitFor(1);
    expect(message?.envelope?.metadata).not.toHaveProperty("encoding");
    expect(message?.envelope?.value).toBe(bytes.toString("base64"));
  });

  test("compression is off by default", async ({ page, openStore, wire }) => {
    await openStore();
    await page.evaluate((text) => store.store("k", text, { format: "text" }), text);
    const [message] = await wire.waitFor(1);
    expect(message?.envelope?.metadata).not.toHaveProperty("encoding");
    expect(message?.envelope?.value).toBe(text);
  });

  test("a store without compression reads compressed entries", async ({ page, openStore }) => {
    await openStore({ compression: true });
    await page.evaluate((text) => store.store("k", text, { format: "text" }), text);
    await reload(page);
    await openStore({ compression: false });
    expect(await page.evaluate(() => store.retrieve("k"))).toBe(text);
  });
});
