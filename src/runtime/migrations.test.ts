import { describe, expect, it, vi } from "vitest";
import { z } from "zod";
import type { NASKeyStore } from "../key-store.ts";
import type { KeyMetadata } from "../model/metadata.ts";
import { deriveKey } from "./derive-key.ts";
import { errorOf } from "../testing/errors.ts";
import { deferred } from "../testing/fake-connection.ts";
import { schema } from "../testing/schemas.ts";
import { committed, usePage } from "../testing/stores.ts";

const page = usePage();

/** The app's first version kept a name, the present one keeps its parts. */
const schemas = { "user:*": z.object({ first: z.string(), last: z.string() }) };
const OLD = { name: "Ada Lovelace" };
const NEW = { first: "Ada", last: "Lovelace" };

function split(value: unknown): unknown {
  const [first, last] = (value as typeof OLD).name.split(" ");
  return { first, last };
}

/** Takes longer than a write-back that has begun. */
async function writeOthers(store: NASKeyStore): Promise<void> {
  for (let n = 0; n < 5; n++) await store.store("other", n);
}

describe("A stored value that no longer fits its schema", () => {
  it("is migrated, and written back once, as a store of the next version", async () => {
    await page.open().store("user:1", OLD, { tags: ["people"], format: "structured" });
    const migrate = vi.fn<(value: unknown, metadata: KeyMetadata) => unknown>(split);
    const store = page.open({ schemas, migrate });
    const reads = await Promise.all([store.retrieve("user:1"), store.retrieve("user:1"), store.bulkRetrieve(["user:1"])]);
    expect(reads).toEqual([NEW, NEW, new Map([["user:1", NEW]])]);
    expect(reads[0]).not.toBe(reads[1]);
    await page.nats.receivedOf("user:1", 2);
    expect(await store.retrieve("user:1")).toEqual(NEW);
    expect(await page.open({ schemas }).retrieve("user:1")).toEqual(NEW);
    expect(await store.getMetadata("user:1")).toMatchObject({ version: 2, format: "structured", tags: ["people"], ttl: null });
    expect(migrate).toHaveBeenCalledTimes(1);
    expect(migrate).toHaveBeenCalledWith(OLD, expect.objectContaining({ key: "user:1", version: 1, tags: ["people"], pending: false }));
    await store.close();
    expect(page.nats.log).toEqual(["user:1@1", "user:1@2"]);
  });

  it("is written back once by two tabs that read it at the same time", async () => {
    await page.open().store("user:1", OLD);
    const tabs = [page.open({ schemas, migrate: split }), page.open({ schemas, migrate: split })];
    expect(await Promise.all(tabs.map((tab) => tab.retrieve("user:1")))).toEqual([NEW, NEW]);
    await Promise.all(tabs.map((tab) => tab.close()));
    expect(page.nats.log).toEqual(["user:1@1", "user:1@2"]);
  });

  it("is written back once by two stores of a page, and by reads of many keys", async () => {
    await page.open().bulkStore({ "user:1": OLD, "user:2": OLD, "user:3": NEW });
    const stores = [page.openTogether({ schemas, migrate: split }), page.openTogether({ schemas, migrate: split })];
    for (const values of await Promise.all(stores.map((store) => store.bulkRetrieve(["user:1", "user:2", "user:3"])))) {
      expect([...values.values()]).toEqual([NEW, NEW, NEW]);
    }
    await Promise.all(stores.map((store) => store.close()));
    expect(page.nats.log.toSorted()).toEqual(["user:1@1", "user:1@2", "user:2@1", "user:2@2", "user:3@1"]);
  });

  it("never replaces a newer write", async () => {
    const other = page.open();
    await other.store("user:1", OLD);
    const ready = deferred<void>();
    const asked = deferred<void>();
    const store = page.open({
      schemas,
      migrate: async (value) => {
        asked.resolve();
        await ready.promise;
        return split(value);
      },
    });
    const read = store.retrieve("user:1");
    await asked.promise;
    await other.store("user:1", { first: "Eve", last: "Moneypenny" });
    ready.resolve();
    expect(await read).toEqual(NEW);
    await store.close();
    expect(await page.open({ schemas }).retrieve("user:1")).toEqual({ first: "Eve", last: "Moneypenny" });
    expect(page.nats.log).toEqual(["user:1@1", "user:1@2"]);
  });

  it("keeps its expiry: it lives no longer than before", async () => {
    await page.open().store("user:1", OLD, { ttl: 100 });
    page.clock.wallTime += 40_000;
    const store = page.open({ schemas, migrate: split });
    const before = await store.getMetadata("user:1");
    await store.retrieve("user:1");
    await page.nats.receivedOf("user:1", 2);
    expect(await store.getMetadata("user:1")).toMatchObject({ version: 2, ttl: 60, expiresAt: before?.expiresAt });
  });

  it("does not delay close once no read waits for its migration", async () => {
    const other = page.openTogether();
    await other.store("user:1", OLD);
    const asked = deferred<void>();
    const ready = deferred<void>();
    const store = page.openTogether({
      schemas,
      migrate: async (value) => {
        asked.resolve();
        await ready.promise;
        return split(value);
      },
    });
    const abort = new AbortController();
    const read = store.retrieve("user:1", { signal: abort.signal });
    await asked.promise;
    abort.abort(new Error("no longer needed"));
    await expect(read).rejects.toThrow("no longer needed");
    await store.close();
    ready.resolve();
    await writeOthers(other);
    expect(await other.getMetadata("user:1")).toMatchObject({ version: 1 });
  });

  it("is written back before close resolves, also if the encryption key takes a while", async () => {
    await page.open().store("user:1", OLD);
    const asked = deferred<void>();
    const unlocked = deferred<CryptoKey>();
    const key = (): Promise<CryptoKey> => {
      asked.resolve();
      return unlocked.promise;
    };
    const store = page.open({ schemas, migrate: split, encryption: { key } });
    expect(await store.retrieve("user:1")).toEqual(NEW);
    await asked.promise;
    const closing = store.close();
    unlocked.resolve(await deriveKey("passphrase", "salt", { iterations: 1 }));
    await closing;
    expect(await page.open().getMetadata("user:1")).toMatchObject({ version: 2, encrypted: true });
  });

  it("is not migrated when another tab replaces it by one that fits, while the schema checks it", async () => {
    const other = page.open();
    await other.store("user:1", OLD);
    const asked = deferred<void>();
    const checked = deferred<void>();
    const slow = schema(async (value) => {
      asked.resolve();
      await checked.promise;
      return "first" in (value as object) ? { value } : { issues: [{ message: "old" }] };
    });
    const migrate = vi.fn<(value: unknown) => unknown>(split);
    const store = page.open({ schemas: { "user:*": slow }, migrate });
    const read = store.retrieve("user:1");
    await asked.promise;
    await other.store("user:1", NEW);
    checked.resolve();
    expect(await read).toEqual(NEW);
    expect(migrate).not.toHaveBeenCalled();
  });

  it("is queued while there is no server, and published later", async () => {
    page.nats.dialling = "refuses";
    await page.open().store("user:1", OLD);
    const store = page.open({ schemas, migrate: split });
    expect(await store.retrieve("user:1")).toEqual(NEW);
    await store.close();
    const later = page.open();
    expect(await later.pendingWrites()).toMatchObject([{ key: "user:1", version: 2, operation: "store" }]);
    page.nats.dialling = "answers";
    await later.flush();
    expect(page.nats.log).toEqual(["user:1@2"]);
  });

  it("is returned although it cannot be written back, and that is not tried again", async () => {
    const other = page.open();
    await other.store("user:1", OLD);
    const key = vi.fn<() => Promise<CryptoKey>>(() => Promise.reject(new Error("locked")));
    const store = page.open({ schemas, migrate: split, encryption: { key } });
    for (let read = 1; read <= 3; read++) {
      expect(await store.retrieve("user:1")).toEqual(NEW);
      await writeOthers(other);
    }
    expect(await other.getMetadata("user:1")).toMatchObject({ version: 1 });
    expect(key).toHaveBeenCalledTimes(1);
  });

  it("is not written back while it is stale: a write would make it fresh", async () => {
    await page.open().store("user:1", OLD);
    const store = page.open({ schemas, migrate: split });
    await store.invalidate({ pattern: "user:1" });
    expect(await store.retrieve("user:1")).toEqual(NEW);
    await store.close();
    expect(await page.open().getMetadata("user:1")).toMatchObject({ version: 1, stale: true });
  });

  it("gives an update of its key a value that fits", async () => {
    await page.open().store("user:1", OLD);
    const store = page.open({ schemas, migrate: split });
    const [read, updated] = await Promise.all([store.retrieve("user:1"), store.update("user:1", { first: "Eve", last: "M" })]);
    expect([read, updated]).toEqual([NEW, true]);
    await store.close();
    expect(await page.open().retrieve("user:1")).toEqual({ first: "Eve", last: "M" });
  });

  it("is what the function of an update gets, and what entries iterates", async () => {
    await page.open().bulkStore({ "user:1": OLD, "user:2": OLD });
    const store = page.open({ schemas, migrate: split });
    expect(await store.update<typeof NEW>("user:1", (present) => ({ ...present!, last: "Byron" }))).toBe(true);
    const found: unknown[] = [];
    for await (const [key, value] of store.entries("user:*")) found.push([key, value]);
    expect(found).toEqual([
      ["user:1", { first: "Ada", last: "Byron" }],
      ["user:2", NEW],
    ]);
    await store.close();
    expect(page.nats.log.toSorted()).toEqual(["user:1@1", "user:1@2", "user:2@1", "user:2@2"]);
  });

  it("rejects SCHEMA_MISMATCH at each read while migrate fails or returns what does not fit", async () => {
    await page.open().store("user:1", OLD);
    const cause = new Error("no last name");
    const failing = page.open({ schemas, migrate: () => Promise.reject(cause) });
    for (let read = 1; read <= 2; read++) {
      expect(await errorOf(() => failing.retrieve("user:1"))).toMatchObject({
        code: "SCHEMA_MISMATCH",
        key: "user:1",
        issues: [{ path: ["first"] }, { path: ["last"] }],
        cause,
      });
    }
    for (const wrong of [undefined, null, { first: "Ada" }, OLD]) {
      const store = page.open({ schemas, migrate: () => wrong });
      const error = await errorOf(() => store.retrieve("user:1"));
      expect(error).toMatchObject({ code: "SCHEMA_MISMATCH", key: "user:1", issues: expect.any(Array) });
      expect(error.message).toContain("Correct what migrate returns");
      await store.close();
    }
    const unkeepable = page.open({ schemas: { "*": z.union([z.number(), z.bigint()]) }, migrate: () => 1n });
    expect(await errorOf(() => unkeepable.retrieve("user:1"))).toMatchObject({ code: "SCHEMA_MISMATCH", cause: { code: "INVALID_VALUE" } });
    expect(page.nats.log).toEqual(["user:1@1"]);
  });

  it("is migrated again where another tab, whose schema is older, has stored it again", async () => {
    const other = page.open();
    await other.store("user:1", OLD);
    const store = page.open({ schemas, migrate: split });
    await store.retrieve("user:1");
    await page.nats.receivedOf("user:1", 2);
    const announced = committed("user:1", 3);
    await other.store("user:1", { name: "Eve Moneypenny" });
    await announced;
    expect(await store.retrieve("user:1", { useCache: false })).toEqual({ first: "Eve", last: "Moneypenny" });
    await store.close();
    expect(page.nats.log).toEqual(["user:1@1", "user:1@2", "user:1@3", "user:1@4"]);
  });

  it("is absent if it is deleted while it is migrated", async () => {
    const other = page.open();
    await other.store("user:1", OLD);
    const asked = deferred<void>();
    const checked = deferred<void>();
    const refuses = schema(async () => {
      asked.resolve();
      await checked.promise;
      return { issues: [{ message: "too old" }] };
    });
    const store = page.open({ schemas: { "*": refuses }, migrate: split });
    const read = store.retrieve("user:1");
    await asked.promise;
    await other.delete("user:1");
    checked.resolve();
    expect(await read).toBeUndefined();
    await store.close();
    expect(page.nats.log).toEqual(["user:1@1", "user:1@2"]);
  });
});
