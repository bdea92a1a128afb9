import { describe, expect, it } from "vitest";
import type { EntryRow } from "../model/row.ts";
import { storeEnvelope } from "../testing/envelopes.ts";
import { codeOf } from "../testing/errors.ts";
import { FakeChannel } from "../testing/fake-channel.ts";
import { deferred } from "../testing/fake-connection.ts";
import { allRows, openDatabase, putRows } from "../testing/indexeddb.ts";
import { newKey } from "../testing/keys.ts";
import { entryRow, NOW, sha256Of } from "../testing/rows.ts";
import { schema } from "../testing/schemas.ts";
import { listen, usePage } from "../testing/stores.ts";

/** Two features that meet at one entry. */
const page = usePage();

async function listOf<T>(iterable: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of iterable) list.push(item);
  return list;
}

describe("An invalidation", () => {
  it("that was called before a retrieveOrStore of the same turn makes it load", async () => {
    const store = page.open();
    const load = (value: number) => store.retrieveOrStore("k", () => value, { tags: ["t"] });
    expect([await load(1), await load(2)]).toEqual([1, 1]);
    const invalidated = store.invalidate({ tag: "t" });
    expect(await load(2)).toBe(2);
    expect(await invalidated).toBe(1);
    expect(await load(3)).toBe(2);
  });
});

describe("An invalidation in another tab", () => {
  it.each([
    ["absent", async () => undefined],
    [
      "stale",
      async (store: ReturnType<typeof page.open>) => {
        await store.store("k", 0, { tags: ["t"] });
        await store.invalidate({ tag: "t" });
      },
    ],
  ])("during the load of a key that is %s keeps the loaded value from being stored", async (_, prepare) => {
    const [store, tab] = [page.open(), page.open()];
    await Promise.all([prepare(store), tab.flush()]);
    const [called, loaded] = [deferred<void>(), deferred<number>()];
    const loading = store.retrieveOrStore(
      "k",
      () => {
        called.resolve();
        return loaded.promise;
      },
      { tags: ["t"] },
    );
    await called.promise;
    await tab.invalidate({ tag: "t" });
    await FakeChannel.delivered();
    loaded.resolve(1);
    expect(await loading).toBe(1);
    expect(await store.retrieveOrStore("k", () => 2, { tags: ["t"] })).toBe(2);
  });
});

describe("A migrated value that is written back", () => {
  const isNew = schema((value) => (value === "new" ? { value } : { issues: [{ message: "old" }] }));

  /** Calls `meanwhile` while `migrate` runs. */
  async function migrateWhile(meanwhile: (store: ReturnType<typeof page.open>) => Promise<unknown>) {
    const [called, migrated] = [deferred<void>(), deferred<unknown>()];
    const migrate = (): unknown => {
      called.resolve();
      return migrated.promise;
    };
    const store = page.open({ schemas: { k: isNew }, migrate });
    const read = store.retrieve("k");
    await called.promise;
    await meanwhile(store);
    migrated.resolve("new");
    expect(await read).toBe("new");
    await store.close();
    return page.open().getMetadata("k");
  }

  it("is stale if the entry was invalidated meanwhile", async () => {
    await page.open().store("k", "old");
    expect(await migrateWhile((store) => store.invalidate({ pattern: "*" }))).toMatchObject({ version: 2, stale: true });
  });

  it("is stale if another tab invalidated the entry meanwhile, and a store ends that", async () => {
    await page.open().store("k", "old");
    expect(await migrateWhile(() => page.open().invalidate({ pattern: "k" }))).toMatchObject({ version: 2, stale: true });
    const store = page.open();
    await store.store("k", "new");
    expect(await store.getMetadata("k")).toMatchObject({ version: 3, stale: false });
  });

  it("expires when a touch meanwhile has said", async () => {
    await page.open().store("k", "old", { ttl: 10 });
    const metadata = await migrateWhile((store) => store.touch("k", 1_000));
    expect(metadata).toMatchObject({ version: 2, expiresAt: new Date(page.clock.wallTime + 1_000_000) });
  });
});

describe("An import", () => {
  it("of a version that is lower than that of a delete is told to watches, in every tab", async () => {
    const [store, tab] = [page.open(), page.open()];
    await store.store("k", 1);
    const exported = await listOf(store.export());
    const [here, there]: string[][] = [[], []];
    store.watch("k", ({ source, type, version }) => void here!.push(`${source} ${type} ${version}`));
    tab.watch("k", ({ source, type, version }) => void there!.push(`${source} ${type} ${version}`));
    await tab.flush();
    await store.delete("k");
    await store.import(exported);
    await store.update("k", 2);
    await FakeChannel.delivered();
    expect(here).toEqual(["local delete 2", "remote store 1", "local store 3"]);
    expect(there).toEqual(["tab delete 2", "tab store 1", "tab store 3"]);
  });

  it.each([true, false])("encrypts plain text in a store with encryption (messages: %s)", async (messages) => {
    const plain = page.open({ namespace: "plain", compression: { thresholdBytes: 100 } });
    const long = "secret ".repeat(100);
    await plain.bulkStore([
      ["text", "secret", { tags: ["t"] }],
      ["bytes", new TextEncoder().encode("secret"), { format: "binary" }],
      ["long", long],
    ]);
    const store = page.open({ encryption: { key: await newKey(), messages } });
    expect(await store.import(await listOf(plain.export()))).toEqual({ imported: 3, skipped: 0 });
    const rows = Object.values(await allRows(openDatabase())) as EntryRow[];
    const contents = rows.map(({ payload }) => (typeof payload === "string" ? payload : new TextDecoder().decode(payload)));
    expect(contents.filter((content) => content.includes("secret"))).toEqual([]);
    expect(rows.every(({ encryption }) => encryption?.messages === messages)).toBe(true);
    const values = await store.bulkRetrieve(["text", "bytes", "long"]);
    expect([...values.values()]).toEqual(["secret", new TextEncoder().encode("secret"), long]);
    expect(await store.getMetadata("text")).toMatchObject({ version: 1, tags: ["t"], encrypted: true });
    // Again: they are not newer.
    expect(await store.import(await listOf(plain.export()))).toEqual({ imported: 0, skipped: 3 });
  });

  it("rejects when the key of the store is missing, and imports nothing", async () => {
    const fail = (): never => {
      throw new Error("no key");
    };
    const store = page.open({ encryption: { key: fail } });
    expect(await codeOf(() => store.import([storeEnvelope("k")]))).toBe("DECRYPT_FAILED");
    expect(await store.listKeys()).toEqual([]);
  });

  it("skips an envelope whose expiry is no time of a Date", async () => {
    const store = page.open();
    const envelope = storeEnvelope("k", "1", { ttl: 1e12, updated_at: "+275760-09-13T00:00:00Z" });
    expect(await store.import([envelope])).toEqual({ imported: 0, skipped: 1 });
  });
});

describe("A key function that does not answer", () => {
  const stop = new Error("stop");

  it.each([
    ["entries", (store: ReturnType<typeof page.open>, signal: AbortSignal) => listOf(store.entries("*", { signal }))],
    ["update with a function", (store: ReturnType<typeof page.open>, signal: AbortSignal) => store.update("k", () => 2, { signal })],
  ])("does not keep an aborted %s", async (_, call) => {
    const key = await newKey();
    await page.open({ encryption: { key } }).store("k", 1);
    const [asked, answer] = [deferred<void>(), deferred<CryptoKey>()];
    const askForKey = (): Promise<CryptoKey> => {
      asked.resolve();
      return answer.promise;
    };
    const store = page.open({ encryption: { key: askForKey } });
    const abort = new AbortController();
    const calling = call(store, abort.signal).catch((error: unknown) => error);
    await asked.promise;
    abort.abort(stop);
    expect(await calling).toBe(stop);
    answer.resolve(key);
    expect(await store.retrieve("k")).toBe(1);
  });
});

describe("An expired entry whose encryption key is missing", () => {
  it("is loaded again by a retrieveOrStore with staleWhileRevalidate", async () => {
    const options = { ttl: 1, staleWhileRevalidate: 100 };
    await page.open({ encryption: { key: await newKey() } }).retrieveOrStore("k", () => 1, options);
    await page.clock.advance(2_000);
    const store = page.open({ encryption: { key: await newKey() } });
    expect(await store.retrieveOrStore("k", () => 2, options)).toBe(2);
  });
});

describe("A row that an attacker has written", () => {
  it.each([NaN, Infinity, -Infinity, 1e300, 1e16, -5, "12", {}, null])("with keepMs %s stays expired", async (keepMs) => {
    const row = entryRow({ expiresAt: NOW - 1000, ttl: 1, keepMs: keepMs as number });
    await putRows(openDatabase(), { k: row, l: row });
    const store = page.open();
    expect(await store.retrieveOrStore("k", () => "new", { staleWhileRevalidate: 0.5 })).toBe("new");
    expect(await store.retrieve("l")).toBeUndefined();
    await store.sweep();
    expect(await page.open().retrieve("l")).toBeUndefined();
    expect(await store.listKeys()).toEqual(["k"]);
  });

  it.each([{ version: Number.MAX_SAFE_INTEGER }, { floor: Number.MAX_SAFE_INTEGER }])("with %o takes later writes", async (given) => {
    await putRows(openDatabase(), { k: entryRow(given) });
    const store = page.open();
    for (const value of [1, 2]) {
      await store.store("k", value);
      expect(await store.retrieve("k", { useCache: false })).toBe(value);
    }
  });

  it.each([null, "x", 0, false, {}, [], { keyId: 1 }])("with the encryption %j is left out of an export", async (encryption) => {
    const payload = new Uint8Array([1, 2, 3]);
    const sound = { format: "binary", payload, checksum: sha256Of(payload), size: 3 } as const;
    await putRows(openDatabase(), { a: entryRow(), k: entryRow({ ...sound, encryption: encryption as never }), z: entryRow() });
    const store = page.open();
    const heard = listen(store);
    expect(await listOf(store.export())).toMatchObject([{ key: "a" }, { key: "z" }]);
    expect(heard).toMatchObject([{ type: "corrupt", detail: { key: "k" } }]);
  });

  it("with another entry as what it was made of has no stale mark", async () => {
    await putRows(openDatabase(), { k: entryRow({ madeOf: null as never }), l: entryRow({ madeOf: "someone" as never }) });
    const store = page.open();
    await store.invalidate({ pattern: "k" });
    expect(await store.getMetadata("k")).toMatchObject({ stale: true });
    expect(await store.getMetadata("l")).toMatchObject({ stale: false });
  });
});
