import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { expect, reload, test } from "./support/fixtures.ts";
import { sha256 } from "./support/messages.ts";

test.describe("damaged entries", () => {
  for (const compression of [false, true]) {
    for (const format of ["json", "text", "binary", "structured"] as const) {
      const damaged = `a byte of a ${compression ? "gzipped " : ""}${format} payload`;
      test(`every read rejects CHECKSUM_MISMATCH when ${damaged} is changed, until the key is stored again`, async ({
        page,
        openStore,
        namespace,
      }) => {
        const keys = ["its first byte", "one in the middle", "its last byte"];
        await openStore({ compression: compression && { thresholdBytes: 0 } });
        await page.evaluate(
          async ([format, namespace, keys]) => {
            const text = "abc ".repeat(500);
            const value = format === "binary" ? new TextEncoder().encode(text) : text;
            await store.bulkStore(
              keys.map((key) => [key, value] as const),
              { format },
            );
            await store.store("whole", 1);
            for (const [index, key] of keys.entries()) await aids.flipBit(namespace, key, index / 2);
          },
          [format, namespace, keys] as const,
        );
        await reload(page);
        await openStore();
        for (const key of keys) {
          const seen = await page.evaluate(async (key) => {
            const reads = [
              await aids.refusalOf(() => store.retrieve(key)),
              await aids.refusalOf(() => store.retrieve(key)),
              await aids.refusalOf(() => store.retrieve(key, { useCache: false })),
            ];
            const bulk = [...(await store.bulkRetrieve([key, "whole"])), ...(await store.bulkRetrieve([key], { useCache: false }))];
            const corrupt = events.filter(({ type, detail }) => type === "corrupt" && detail.key === key);
            await store.store(key, "new");
            return {
              reads: reads.map((refusal) => [refusal?.code, refusal?.key]),
              bulk,
              corrupt: corrupt.map(({ detail }) => [detail.error?.code, detail.error?.key]),
              stored: await store.retrieve(key, { useCache: false }),
            };
          }, key);
          expect(seen).toEqual({
            reads: Array.from({ length: 3 }, () => ["CHECKSUM_MISMATCH", key]),
            bulk: [["whole", 1]],
            corrupt: Array.from({ length: 5 }, () => ["CHECKSUM_MISMATCH", key]),
            stored: "new",
          });
        }
      });
    }
  }

  test("delete removes a damaged entry", async ({ page, openStore, namespace }) => {
    await openStore({ cacheSize: 0 });
    const seen = await page.evaluate(async (namespace) => {
      await store.store("k", "value");
      await aids.flipBit(namespace, "k", 0.5);
      const refusal = await aids.refusalOf(() => store.retrieve("k"));
      return { refused: refusal?.code, deleted: await store.delete("k"), isAbsent: (await store.retrieve("k")) === undefined };
    }, namespace);
    expect(seen).toEqual({ refused: "CHECKSUM_MISMATCH", deleted: true, isAbsent: true });
  });

  test("a read with useCache false rejects CHECKSUM_MISMATCH although the memory cache has the value", async ({
    page,
    openStore,
    namespace,
  }) => {
    await openStore();
    const code = await page.evaluate(async (namespace) => {
      await store.store("k", "value");
      await aids.flipBit(namespace, "k", 0.5);
      return (await aids.refusalOf(() => store.retrieve("k", { useCache: false })))?.code;
    }, namespace);
    expect(code).toBe("CHECKSUM_MISMATCH");
  });

  test("a read rejects CHECKSUM_MISMATCH when the length of the payload is changed", async ({ page, openStore, namespace }) => {
    await openStore({ cacheSize: 0 });
    const codes = await page.evaluate(async (namespace) => {
      const read = async () => (await aids.refusalOf(() => store.retrieve("k")))?.code;
      await store.store("k", "value");
      await aids.changeRawEntry(namespace, "k", { payload: '"value" ' });
      const longer = await read();
      await aids.changeRawEntry(namespace, "k", { payload: "" });
      const empty = await read();
      await aids.changeRawEntry(namespace, "k", { payload: 1 as unknown as string });
      return { longer, empty, number: await read() };
    }, namespace);
    expect(codes).toEqual({ longer: "CHECKSUM_MISMATCH", empty: "CHECKSUM_MISMATCH", number: "CHECKSUM_MISMATCH" });
  });

  for (const declared of [10, 1_000_000_000]) {
    test(`a read rejects DECODE_FAILED when the payload is a gzip bomb that declares ${declared} bytes`, async ({
      page,
      openStore,
      namespace,
    }) => {
      const bomb = gzipSync(Buffer.alloc(200_000_000));
      await openStore({ cacheSize: 0, compression: { thresholdBytes: 0 } });
      const seen = await page.evaluate(
        async ([namespace, base64, storedChecksum, size]) => {
          await store.store("k", "x".repeat(1000));
          const payload = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
          await aids.changeRawEntry(namespace, "k", { payload, storedChecksum, size });
          const refusal = await aids.refusalOf(() => store.retrieve("k"));
          const bulk = await store.bulkRetrieve(["k"]);
          return {
            code: refusal?.code,
            key: refusal?.key,
            bulkSize: bulk.size,
            corruptEvents: events.filter(({ type }) => type === "corrupt").map(({ detail }) => detail.error?.code),
          };
        },
        [namespace, bomb.toString("base64"), createHash("sha256").update(bomb).digest("hex"), declared] as const,
      );
      expect(seen).toEqual({ code: "DECODE_FAILED", key: "k", bulkSize: 0, corruptEvents: ["DECODE_FAILED", "DECODE_FAILED"] });
    });
  }

  test("a read rejects DECODE_FAILED when a payload with a valid checksum is not valid in its format", async ({
    page,
    openStore,
    namespace,
  }) => {
    await openStore({ cacheSize: 0 });
    const payload = '{"a":';
    const codes = await page.evaluate(
      async ([namespace, payload, checksum]) => {
        const codes: unknown[] = [];
        for (const format of ["json", "structured"] as const) {
          await store.store("k", {}, { format });
          await aids.changeRawEntry(namespace, "k", { payload, checksum, size: payload.length });
          codes.push((await aids.refusalOf(() => store.retrieve("k")))?.code);
        }
        return codes;
      },
      [namespace, payload, sha256(payload)] as const,
    );
    expect(codes).toEqual(["DECODE_FAILED", "DECODE_FAILED"]);
  });
});
