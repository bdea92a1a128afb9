import { gzipSync } from "node:zlib";
import { describe, expect, it, vi } from "vitest";
import { transferPart } from "../runtime/transfer-part.ts";
import { envelopesOf, storeEnvelope } from "../testing/envelopes.ts";
import { codeOf, errorOf } from "../testing/errors.ts";
import { allRows, fillStorage, openDatabase, watchTransactions, writesAmong } from "../testing/indexeddb.ts";
import { sha256Of } from "../testing/rows.ts";
import { DATABASE, usePage } from "../testing/stores.ts";
import { KeyStoreError } from "../util/errors.ts";
import { gzipPart } from "../values/gzip-part.ts";

const page = usePage();

describe("An import", () => {
  it("commits slices of 256, then flushes them to the disk, and opens no connection", async () => {
    const store = page.open();
    await store.flush();
    const dials = page.nats.dials;
    const transactions = watchTransactions();
    expect(await store.import(envelopesOf(1_000))).toEqual({ imported: 1_000, skipped: 0 });
    const durabilities = transactions.mock.calls.filter(([, mode]) => mode === "readwrite").map(([, , options]) => options?.durability);
    expect(durabilities).toEqual(["relaxed", "relaxed", "relaxed", "relaxed", "strict"]);
    expect(page.nats.dials).toBe(dials);
    expect(await store.pendingWrites()).toEqual([]);
  });

  it("commits less at once of large payloads", async () => {
    const store = page.open();
    await store.flush();
    const envelopes = Array.from({ length: 6 }, (_, n) => storeEnvelope(`k${n}`, JSON.stringify("x".repeat(1_000_000))));
    const transactions = watchTransactions();
    expect(await store.import(envelopes)).toEqual({ imported: 6, skipped: 0 });
    expect(writesAmong(transactions)).toBe(3);
  });

  it("reads at most two slices more than it has committed", async () => {
    const store = page.open();
    const lead: number[] = [];
    let read = 0;
    let committed = 0;
    function* lines(): Generator<object> {
      for (const envelope of envelopesOf(2_000)) {
        lead.push(++read - committed);
        yield envelope;
      }
    }
    await store.import(lines(), { onProgress: (done) => (committed = done) });
    expect(Math.max(...lead)).toBeLessThanOrEqual(512);
  });

  it("reads an iterable that is both as an async one", async () => {
    const both = {
      async *[Symbol.asyncIterator]() {
        yield* envelopesOf(2);
      },
      *[Symbol.iterator]() {
        yield {};
      },
    };
    expect(await page.open().import(both)).toEqual({ imported: 2, skipped: 0 });
  });

  it("does not close an iterator that has thrown", async () => {
    const close = vi.fn<() => IteratorResult<object>>(() => ({ done: true, value: undefined }));
    const next = (): never => {
      throw new Error("broken line");
    };
    expect(await codeOf(() => page.open().import({ [Symbol.iterator]: () => ({ next, return: close }) }))).toBe("INVALID_VALUE");
    expect(close).not.toHaveBeenCalled();
  });

  it("goes on when a slice has only envelopes that it skips", async () => {
    const store = page.open();
    expect(await store.import([...Array.from({ length: 600 }, () => ({})), ...envelopesOf(1)])).toEqual({ imported: 1, skipped: 600 });
  });

  it("on a full disk rejects QUOTA_EXCEEDED, names the number of imported entries, and goes on when it is called again", async () => {
    const store = page.open();
    let empty = (): void => undefined;
    const error = await errorOf(() =>
      store.import(envelopesOf(600), {
        onProgress: (done) => {
          if (done === 256) empty = fillStorage();
        },
      }),
    );
    expect(error.code).toBe("QUOTA_EXCEEDED");
    expect(error.message).toMatch(/Entries imported before: (256|512)\./);
    empty();
    const before = (await store.listKeys()).length;
    expect(await store.import(envelopesOf(600))).toEqual({ imported: 600 - before, skipped: before });
  });

  it("rejects STORAGE_UNAVAILABLE while its part cannot be loaded, and the next call tries again", async () => {
    const store = page.open();
    const missing = vi
      .spyOn(transferPart, "load")
      .mockImplementation(() => Promise.reject(new KeyStoreError("STORAGE_UNAVAILABLE", "could not be loaded")));
    expect(await codeOf(() => store.import([]))).toBe("STORAGE_UNAVAILABLE");
    expect(await codeOf(() => store.export()[Symbol.asyncIterator]().next())).toBe("STORAGE_UNAVAILABLE");
    missing.mockRestore();
    expect(await store.import(envelopesOf(1))).toEqual({ imported: 1, skipped: 0 });
  });
});

describe("A compressed payload", () => {
  const text = JSON.stringify("a".repeat(2_000_000));
  const compressed = (given: object = {}): object => {
    const facts = { encoding: "gzip", checksum: sha256Of(text), size: text.length };
    return storeEnvelope("k", gzipSync(text).toString("base64"), { ...facts, ...given });
  };

  it("is stored as it is", async () => {
    const store = page.open();
    expect(await store.import([compressed()])).toEqual({ imported: 1, skipped: 0 });
    expect(await store.retrieve("k")).toBe("a".repeat(2_000_000));
    expect((await store.getMetadata("k"))?.size).toBe(text.length);
  });

  it("is not skipped while the code that verifies it cannot be loaded: the import rejects", async () => {
    const { loaded } = gzipPart;
    gzipPart.loaded = undefined;
    vi.spyOn(gzipPart, "load").mockRejectedValue(new KeyStoreError("STORAGE_UNAVAILABLE", "could not be loaded"));
    expect(await codeOf(() => page.open().import([compressed()]))).toBe("STORAGE_UNAVAILABLE");
    vi.restoreAllMocks();
    gzipPart.loaded = loaded;
  });

  it.each([
    ["another size than it decompresses to", { size: 1_000 }],
    ["no size", { size: undefined }],
    ["no checksum", { checksum: undefined }],
    ["the MD5 of the Python original, which does not compress", { checksum: "0".repeat(32) }],
    ["a size out of proportion to the largest message", { size: 2 ** 40 }],
  ])("with %s is skipped", async (_, metadata) => {
    expect(await page.open().import([compressed(metadata)])).toEqual({ imported: 0, skipped: 1 });
  });

  it("that is larger than the store's own limit is skipped", async () => {
    const store = page.open({ maxPayloadBytes: 3_000 });
    expect(await store.import([compressed(), storeEnvelope("k", JSON.stringify("b".repeat(2_900)))])).toEqual({ imported: 0, skipped: 2 });
  });
});

describe("An encrypted payload", () => {
  const ciphertext = new Uint8Array([1, 2, 3]);
  const encryption = { algorithm: "AES-GCM", key_id: "abc", nonce: "AAAAAAAAAAAAAAAA" };
  const encrypted = (given: object = {}): object =>
    storeEnvelope("k", "AQID", { encryption, checksum: sha256Of(ciphertext), size: 40, encoding: "gzip", ...given });

  it("is stored as it is, and exported again, without its key", async () => {
    const store = page.open();
    expect(await store.import([encrypted()])).toEqual({ imported: 1, skipped: 0 });
    expect((await allRows(openDatabase(DATABASE)))["k"]).toMatchObject({
      payload: ciphertext,
      encoding: "gzip",
      encryption: { keyId: "abc", nonce: "AAAAAAAAAAAAAAAA", messages: true },
      size: 40,
    });
    const envelopes = [];
    for await (const envelope of store.export()) envelopes.push(envelope);
    expect(envelopes).toMatchObject([{ key: "k", value: "AQID", metadata: { size: 40, checksum: sha256Of(ciphertext) } }]);
  });

  it.each([
    ["another checksum", { checksum: sha256Of("other") }],
    ["no checksum", { checksum: undefined }],
    ["an unknown algorithm", { encryption: { ...encryption, algorithm: "ROT13" } }],
    ["no key id", { encryption: { ...encryption, key_id: undefined } }],
    ["another nonce than 12 bytes", { encryption: { ...encryption, nonce: "AAAA" } }],
    ["encryption that is no object", { encryption: null }],
  ])("with %s is skipped", async (_, metadata) => {
    expect(await page.open().import([encrypted(metadata)])).toEqual({ imported: 0, skipped: 1 });
  });
});
