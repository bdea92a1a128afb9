import { LONG_MS } from "./support/deadline.ts";
import { expect, test, openStoreIn } from "./support/fixtures.ts";
import { expectNoSocketLeft } from "./support/sockets.ts";

test.describe("close", () => {
  test("close waits for running writes and closes the socket", async ({ page, startNats, openWire, namespace }) => {
    const server = await startNats();
    const wire = await openWire(server);
    await openStoreIn(page, { servers: server.wsUrl, namespace, lingerMs: LONG_MS });
    const seen = await page.evaluate(async () => {
      const order: string[] = [];
      const writes = Array.from({ length: 50 }, (_, index) => store.store(`k${index}`, index));
      const all = Promise.all(writes).then((results) => {
        order.push("written");
        return results.every(Boolean);
      });
      const closing = store.close().then(() => order.push("closed"));
      await closing;
      return { allConfirmed: await all, order };
    });
    expect(seen).toEqual({ allConfirmed: true, order: ["written", "closed"] });
    await wire.waitFor(50);
    await expectNoSocketLeft(server);
  });

  test("close can be called more than once, also at the same time", async ({ page, openStore }) => {
    await openStore();
    const done = await page.evaluate(async () => {
      await store.store("k", 1);
      await Promise.all([store.close(), store.close()]);
      await store.close();
      await store[Symbol.asyncDispose]();
      return "done";
    });
    expect(done).toBe("done");
  });

  test("operations after close reject CLOSED", async ({ page, openStore }) => {
    await openStore();
    const codes = await page.evaluate(async () => {
      void store.close();
      const operations: Record<string, () => unknown> = {
        store: () => store.store("k", 1),
        retrieve: () => store.retrieve("k"),
        delete: () => store.delete("k"),
        exists: () => store.exists("k"),
        update: () => store.update("k", 1),
        bulkStore: () => store.bulkStore({}),
        bulkRetrieve: () => store.bulkRetrieve([]),
        getMetadata: () => store.getMetadata("k"),
        clearCache: () => store.clearCache(),
        listKeys: () => store.listKeys(),
        ping: () => store.ping(),
        flush: () => store.flush(),
        pendingWrites: () => store.pendingWrites(),
        getStorageStats: () => store.getStorageStats(),
        sweep: () => store.sweep(),
      };
      const codes = Object.entries(operations).map(async ([name, work]) => [name, (await aids.refusalOf(work))?.code] as const);
      return Object.fromEntries(await Promise.all(codes));
    });
    expect(codes).toEqual(Object.fromEntries(Object.keys(codes).map((name) => [name, "CLOSED"])));
  });

  test("close closes the database, so that another store can use it and it can be deleted", async ({ page, openStore, namespace }) => {
    await openStore();
    await page.evaluate(async () => {
      await store.store("k", 1);
      await store.close();
    });
    await openStore();
    expect(await page.evaluate(() => store.retrieve("k"))).toBe(1);
    const deleted = await page.evaluate(async (namespace) => {
      await store.close();
      return new Promise((resolve) => {
        const request = indexedDB.deleteDatabase(`nas-keystore/${namespace}`);
        request.onblocked = () => resolve("blocked");
        request.onsuccess = () => resolve("deleted");
      });
    }, namespace);
    expect(deleted).toBe("deleted");
  });

  test("`await using` closes a store at the end of its block", async ({ page, openStore }) => {
    await openStore();
    // A string, because the test runner compiles the syntax to helpers that the page does not have.
    const seen = await page.evaluate<unknown>(`(async () => {
      let kept, keys;
      {
        await using own = new keystore.NASKeyStore({ servers: "ws://127.0.0.1:1", namespace: "disposed" });
        kept = own;
        keys = await own.listKeys();
      }
      return { keys, code: (await aids.refusalOf(() => kept.exists("k"))).code };
    })()`);
    expect(seen).toEqual({ keys: [], code: "CLOSED" });
  });

  test("close resolves when its calls have settled although the server does not answer", async ({ page, nats, openLink, openStore }) => {
    const link = await openLink(nats);
    link.hang();
    await openStore({ servers: link.wsUrl, timeoutMs: 300 });
    const seen = await page.evaluate(async () => {
      const stored = store.store("k", 1);
      await store.close();
      return stored;
    });
    expect(seen).toBe(false);
  });
});
