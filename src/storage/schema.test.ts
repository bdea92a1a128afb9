import { describe, expect, it } from "vitest";

import { NASKeyStore } from "../key-store.ts";
import { bytesOf, sha256 } from "../entry/checksum.ts";
import { FakeNats } from "../testing/fake-nats.ts";
import { allRows, openDatabase, resultOf, useFreshIndexedDB } from "../testing/indexeddb.ts";
import { entryRow } from "../testing/rows.ts";

useFreshIndexedDB();

/** A database as schema 1 had it: entries did not say when they were used. */
async function makeSchema1(namespace: string): Promise<void> {
  const row = {
    format: "json",
    payload: '{"old":true}',
    checksum: await sha256(bytesOf('{"old":true}')),
    size: 12,
    version: 3,
    createdAt: 1_700_000_000_000,
    updatedAt: 1_700_000_000_001,
    ttl: null,
    tags: ["kept"],
  };
  const request = indexedDB.open(`nas-keystore/${namespace}`, 1);
  request.onupgradeneeded = () => {
    const { result, transaction } = request;
    const entries = result.createObjectStore("entries");
    entries.createIndex("expiresAt", "expiresAt");
    entries.createIndex("tags", "tags", { multiEntry: true });
    const outbox = result.createObjectStore("outbox");
    result.createObjectStore("meta");
    transaction?.objectStore("meta").put("generation-of-old", "generation");
    entries.put({ ...row, writeId: ["gone", 1] }, "confirmed");
    entries.put({ ...row, writeId: ["gone", 2] }, "pending");
    entries.put({ deletedAt: 1_700_000_000_002, version: 2, expiresAt: 0, writeId: ["gone", 3] }, "deleted");
    outbox.put(
      {
        state: "queued",
        attempts: 4,
        lastError: "away",
        writes: [
          { n: 2, key: "pending", version: 3, operation: "store" },
          { n: 3, key: "deleted", version: 2, operation: "delete" },
        ],
      },
      ["gone", 2],
    );
  };
  (await resultOf(request)).close();
}

describe("a database of schema 1", () => {
  it("opens with its data and its pending writes, and those are published", async () => {
    await makeSchema1("old");
    const nats = new FakeNats();
    const store = new NASKeyStore({ namespace: "old", connect: nats.connect, sweepIntervalMs: 0 });

    expect(await store.listKeys()).toEqual(["confirmed", "pending"]);
    expect(await store.retrieve("confirmed", { useCache: false })).toEqual({ old: true });
    expect(await store.getMetadata("confirmed")).toMatchObject({ version: 3, tags: ["kept"], pending: false });
    await store.flush();
    expect(nats.log.toSorted()).toEqual(["deleted@2", "pending@3"]);
    expect(await store.pendingWrites()).toEqual([]);
    expect(await store.getStorageStats()).toMatchObject({ entries: 2, bytes: 24, pendingWrites: 0 });
    expect(nats.of("pending")[0]).toMatchObject({ metadata: { origin: "generation-of-old" } });
    await store.close();
  });

  it("evicts its entries by when they were written", async () => {
    await makeSchema1("old");
    const nats = new FakeNats();
    const store = new NASKeyStore({ namespace: "old", connect: nats.connect, sweepIntervalMs: 0, maxEntries: 1 });
    await store.flush();
    await store.store("new", 1);
    await store.close();

    const again = new NASKeyStore({ namespace: "old", connect: nats.connect, sweepIntervalMs: 0 });
    expect(await again.listKeys()).toEqual(["new"]);
    await again.close();
  });
});

/** A database as schema 2 had it: every entry in a record of its own, and no index of keys. */
async function makeSchema2(namespace: string, records: readonly [key: IDBValidKey, record: unknown][]): Promise<void> {
  const request = indexedDB.open(`nas-keystore/${namespace}`, 2);
  request.onupgradeneeded = () => {
    const { result } = request;
    const entries = result.createObjectStore("entries");
    entries.createIndex("expiresAt", "expiresAt");
    entries.createIndex("tags", "tags", { multiEntry: true });
    entries.createIndex("use", ["lastUsed", "size"]);
    result.createObjectStore("outbox");
    result.createObjectStore("meta").put("generation-of-old", "generation");
    for (const [key, record] of records) entries.put(record, key);
  };
  (await resultOf(request)).close();
}

describe("a database of schema 2", () => {
  it("opens with its entries, whatever lies among them, and takes new ones in packs", async () => {
    const sound = { ...entryRow({ payload: '"value"' }), checksum: await sha256(bytesOf('"value"')), lastUsed: 1 };
    await makeSchema2("old", [
      ["sound", { ...sound, key: "sound" }],
      ["moved", { ...sound, key: "sound" }],
      ["nothing", null],
      ["text", "text"],
      [["sound"], { ...sound, key: ["sound"] }],
      [7, { ...sound, under: "sound" }],
    ]);
    const store = new NASKeyStore({ namespace: "old", connect: new FakeNats().connect, sweepIntervalMs: 0 });
    const codeOf = (key: string): Promise<unknown> => store.retrieve(key).then(() => undefined, ({ code }: { code: string }) => code);

    expect(await store.retrieve("sound")).toBe("value");
    expect([await codeOf("moved"), await codeOf("nothing"), await codeOf("text")]).toEqual(Array(3).fill("CHECKSUM_MISMATCH"));
    expect(await store.listKeys()).toEqual(["moved", "nothing", "sound", "text"]);

    const many = ["sound", "moved", "nothing", "text", ...Array.from({ length: 80 }, (_, n) => `k${n}`)];
    await store.bulkStore(many.map((key) => [key, key] as const));
    expect([...(await store.bulkRetrieve(many, { useCache: false }))]).toEqual(many.map((key) => [key, key]));
    expect(await store.listKeys()).toEqual(many.toSorted());
    await store.close();
    const database = openDatabase("nas-keystore/old");
    expect(Object.keys(await allRows(database)).toSorted()).toEqual(many.toSorted());
    database.release();
  });
});
