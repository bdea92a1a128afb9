import { describe, expect, it, vi } from "vitest";
import type { NASKeyStore } from "../key-store.ts";
import { caught, codeOf } from "../testing/errors.ts";
import { openDatabase, putRows, watchTransactions } from "../testing/indexeddb.ts";
import { entryRow, NOW } from "../testing/rows.ts";
import { DATABASE, listen, usePage } from "../testing/stores.ts";
import { KeyStoreError } from "../util/errors.ts";
import { gzipPart } from "../values/gzip-part.ts";

const page = usePage();

async function exported(store: NASKeyStore, pattern?: string): Promise<{ key: string; metadata: object }[]> {
  const all: { key: string; metadata: object }[] = [];
  for await (const envelope of store.export(pattern)) all.push(envelope as (typeof all)[0]);
  return all;
}

const items = (count: number): [string, number][] => Array.from({ length: count }, (_, n) => [`k${n}`, n]);

describe("An export", () => {
  it("has the time of an expiry that was moved, and an import keeps it", async () => {
    const expiresAt = page.clock.now() + 5_000;
    await putRows(openDatabase(DATABASE), { k: entryRow({ ttl: 1, updatedAt: NOW, expiresAt }) });
    const [envelope] = await exported(page.open());
    expect(envelope?.metadata).toMatchObject({ ttl: 1, expires_at: new Date(expiresAt).toISOString() });
    const store = page.open({ namespace: "other" });
    await store.import([envelope!]);
    expect((await store.getMetadata("k"))?.expiresAt).toEqual(new Date(expiresAt));
  });

  it("sees the writes that were called before it, and no page is read before it is needed", async () => {
    const store = page.open();
    const writing = store.bulkStore(items(600));
    const transactions = watchTransactions();
    const iterator = store.export()[Symbol.asyncIterator]();
    expect(transactions).not.toHaveBeenCalled();
    expect((await iterator.next()).value).toMatchObject({ key: "k0" });
    await writing;
    await store.flush();
    const before = transactions.mock.calls.length;
    for (let n = 0; n < 200; n++) await iterator.next();
    expect(transactions.mock.calls.length).toBe(before);
    // A caller that pauses keeps no transaction open.
    expect(await store.store("k0", "new")).toBe(true);
    expect(await iterator.return?.()).toMatchObject({ done: true });
    expect(await iterator.next()).toMatchObject({ done: true });
  });

  it("reports the number of envelopes after each page, even if the callback throws", async () => {
    const reported: unknown[] = [];
    globalThis.reportError = (error) => void reported.push(error);
    const store = page.open();
    await store.bulkStore(items(600));
    const progress: number[] = [];
    const onProgress = (done: number): never => {
      progress.push(done);
      throw new Error("mine");
    };
    for await (const _ of store.export("*", { onProgress }));
    expect(progress).toEqual([256, 512, 600]);
    expect(reported).toHaveLength(3);
    delete (globalThis as { reportError?: unknown }).reportError;
  });

  it("leaves out rows that are no entries, with an event each, and does not count as a use", async () => {
    const database = openDatabase(DATABASE);
    await putRows(database, { a: entryRow(), b: "rubbish", c: entryRow({ checksum: "0".repeat(64) }), d: entryRow({ key: "elsewhere" }) });
    const store = page.open();
    const heard = listen(store);
    expect((await exported(store)).map(({ key }) => key)).toEqual(["a"]);
    expect(heard.every(({ type }) => type === "corrupt")).toBe(true);
    expect(heard.map(({ detail }) => (detail as { key: string }).key).toSorted()).toEqual(["b", "c", "d"]);
    expect(store.getCacheStats()).toMatchObject({ size: 0, hits: 0, misses: 0 });
  });
});

it("An export that cannot verify an entry rejects: it leaves out none that is sound", async () => {
  const store = page.open({ compression: { thresholdBytes: 1 } });
  await store.store("k", "a".repeat(1_000));
  await store.close();
  const { loaded } = gzipPart;
  gzipPart.loaded = undefined;
  vi.spyOn(gzipPart, "load").mockRejectedValue(new KeyStoreError("STORAGE_UNAVAILABLE", "could not be loaded"));
  expect(await codeOf(() => exported(page.open()))).toBe("STORAGE_UNAVAILABLE");
  vi.restoreAllMocks();
  gzipPart.loaded = loaded;
  expect(await exported(page.open())).toHaveLength(1);
});

it("An import whose signal is aborted with a KeyStoreError rejects with that error itself", async () => {
  const reason = new KeyStoreError("CLOSED", "mine");
  const controller = new AbortController();
  function* envelopes(): Generator<object> {
    controller.abort(reason);
    yield {};
    yield {};
  }
  expect(await caught(() => page.open().import(envelopes(), { signal: controller.signal }))).toBe(reason);
});
