import { describe, expect, it } from "vitest";

import { NASKeyStore } from "../key-store.ts";
import { bytesOf, sha256 } from "../entry/checksum.ts";
import { FakeNats } from "../testing/fake-nats.ts";
import { resultOf, useFreshIndexedDB } from "../testing/indexeddb.ts";

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
