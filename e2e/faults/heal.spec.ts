import type { Page } from "@playwright/test";
import { expect, test, visit } from "../support/faults.ts";
import type { Outcome } from "../support/observer.ts";
import { CLEAR_SITE_DATA } from "../support/page-server.ts";

function openStore(page: Page, servers: string, namespace: string, more: object = {}): Promise<void> {
  return page.evaluate(
    ([servers, namespace, more]) => {
      globalThis.resets = [];
      globalThis.store = new keystore.NASKeyStore({ servers, namespace, timeoutMs: aids.LONG_MS, ...more });
      store.addEventListener("reset", ({ detail }) => resets.push(detail.reason));
    },
    [servers, namespace, more] as const,
  );
}

test.describe("versionchange", () => {
  test("a store closes its database at versionchange and reopens it without an error for the caller", async ({
    page,
    openPage,
    nats,
    namespace,
    wire,
  }) => {
    await openStore(page, nats.wsUrl, namespace);
    expect(await page.evaluate(() => store.store("a", 1))).toBe(true);

    // Requests an upgrade, as a newer release does, and aborts it.
    const other = await openPage();
    const outcomes = await other.evaluate(
      (name) =>
        new Promise<string[]>((resolve) => {
          const seen: string[] = [];
          const request = indexedDB.open(name, 1_000_000);
          request.onblocked = () => seen.push("blocked");
          request.onupgradeneeded = () => {
            seen.push("upgrade");
            request.transaction?.abort();
          };
          request.onerror = () => resolve(seen);
        }),
      `nas-keystore/${namespace}`,
    );
    expect(outcomes, "the store closed its connection immediately").toEqual(["upgrade"]);

    expect(
      await page.evaluate(async () => ({
        retrieve: await store.retrieve("a", { useCache: false }),
        store: await store.store("a", 2),
        update: await store.update("a", 3),
        exists: await store.exists("a"),
        delete: await store.delete("a"),
        pending: await store.pendingWrites(),
        resets,
      })),
    ).toEqual({ retrieve: 1, store: true, update: true, exists: true, delete: true, pending: [], resets: [] });
    expect((await wire.settled()).map(({ envelope }) => envelope?.value ?? envelope?.operation)).toEqual(["1", "2", "3", "delete"]);
  });

  test("a store under load lets another tab upgrade the database and loses no write", async ({ page, openPage, nats, namespace, wire }) => {
    await openStore(page, nats.wsUrl, namespace);
    await page.evaluate(() => store.store("a", 0));
    const other = await openPage();
    const load = page.evaluate(() => Promise.all(Array.from({ length: 200 }, async (_, n) => store.store(`key-${n}`, n))));
    await other.evaluate(
      (name) =>
        new Promise<void>((resolve) => {
          const request = indexedDB.open(name, 1_000_000);
          request.onupgradeneeded = () => request.transaction?.abort();
          request.onerror = () => resolve();
        }),
      `nas-keystore/${namespace}`,
    );
    expect(new Set(await load)).toEqual(new Set([true]));
    expect(await page.evaluate(async () => (await store.listKeys("key-*")).length)).toBe(200);
    await wire.waitFor(201);
  });

  test("a store dispatches one `reset`, empties its memory and works when its database is deleted", async ({
    page,
    openPage,
    nats,
    namespace,
  }) => {
    await openStore(page, nats.wsUrl, namespace);
    await page.evaluate(() => store.store("a", 1));
    const other = await openPage();
    await other.evaluate((namespace) => keystore.destroyNamespace(namespace), namespace);
    expect(
      await page.evaluate(async () => ({
        before: await store.retrieve("a"),
        keys: await store.listKeys(),
        stored: await store.store("a", 2),
        after: await store.retrieve("a"),
      })),
    ).toEqual({ before: undefined, keys: [], stored: true, after: 2 });
    expect(await page.evaluate(() => resets.length)).toBe(1);
    expect(await page.evaluate(() => store.getMetadata("a").then((found) => found?.version)), "a new database, a new version 1").toBe(1);
  });
});

test.describe("a database that another tab keeps open", () => {
  test("a blocked upgrade rejects with the reason and succeeds after the other tab closes the database", async ({
    page: holding,
    openPage,
    site,
    nats,
    namespace,
  }) => {
    await openStore(holding, nats.wsUrl, namespace);
    await holding.evaluate(async (name) => {
      await store.store("a", 1);
      await store.close();
      // A script that does not close its connection.
      const request = indexedDB.open(name);
      await new Promise((resolve) => (request.onsuccess = resolve));
      globalThis.held = request.result;
    }, `nas-keystore/${namespace}`);

    // A newer release, whose schema has a higher version.
    const newer = await openPage();
    await newer.addInitScript(() => {
      const open = IDBFactory.prototype.open;
      IDBFactory.prototype.open = function (name, version) {
        return version === undefined ? open.call(this, name) : open.call(this, name, version + 1);
      };
    });
    await visit(newer, site.url);
    await openStore(newer, nats.wsUrl, namespace);
    for (const [attempt, why] of [
      ["first", /Another tab holds/],
      ["second, which waits for the first", /Another tab may hold/],
    ] as const) {
      const blocked = await newer.evaluate(() =>
        store.retrieve("a").catch(({ code, message }: InstanceType<typeof keystore.KeyStoreError>) => ({ code, message })),
      );
      expect.soft(blocked, `${attempt} call`).toEqual({ code: "STORAGE_UNAVAILABLE", message: expect.stringMatching(why) });
    }

    await holding.evaluate(() => held.close());
    expect(await newer.evaluate(async () => ({ value: await store.retrieve("a"), stored: await store.store("b", 1) }))).toEqual({
      value: 1,
      stored: true,
    });
  });

  test("destroyNamespace rejects when another tab keeps the database open", async ({ page, openPage, nats, namespace }) => {
    await openStore(page, nats.wsUrl, namespace);
    await page.evaluate(async (name) => {
      await store.store("a", 1);
      await store.close();
      const request = indexedDB.open(name);
      await new Promise((resolve) => (request.onsuccess = resolve));
      globalThis.held = request.result;
    }, `nas-keystore/${namespace}`);
    const other = await openPage();
    const destroyed = await other.evaluate((namespace) => observer.outcome(() => keystore.destroyNamespace(namespace)), namespace);
    expect(destroyed.error).toBe("STORAGE_UNAVAILABLE");
    await page.evaluate(() => held.close());
  });
});

test.describe("an open that fails", () => {
  for (const failure of ["is refused", "fails with an event", "never answers"] as const) {
    test(`an open that ${failure} rejects with a typed error, and the next call opens the database again`, async ({
      page,
      nats,
      namespace,
      wire,
    }) => {
      await page.evaluate((failure) => {
        const open = IDBFactory.prototype.open;
        globalThis.restoreOpen = () => void (IDBFactory.prototype.open = open);
        IDBFactory.prototype.open = () => {
          // As in private windows of some browsers.
          if (failure === "is refused") throw new DOMException("Not here", "SecurityError");
          const error = new DOMException("Internal error opening backing store", "UnknownError");
          const request = { error } as IDBOpenDBRequest;
          // Otherwise no event is dispatched, as sometimes in Safari.
          if (failure === "fails with an event") setTimeout(() => request.onerror?.(new Event("error")));
          return request;
        };
      }, failure);
      await openStore(page, nats.wsUrl, namespace);
      const calls = await page.evaluate((): Promise<Outcome<unknown>[]> =>
        Promise.all([
          observer.outcome(() => store.store("a", 1)),
          observer.outcome(() => store.retrieve("a")),
          observer.outcome(() => store.delete("a")),
          observer.outcome(() => store.bulkStore({ a: 1 })),
          observer.outcome(() => store.listKeys()),
          observer.outcome(() => store.pendingWrites()),
          observer.outcome(() => store.flush()),
        ]),
      );
      expect(calls.map(({ error }) => error)).toEqual(calls.map(() => "STORAGE_UNAVAILABLE"));

      const next = await page.evaluate(async () => {
        restoreOpen();
        return { stored: await store.store("a", 1), value: await store.retrieve("a", { useCache: false }) };
      });
      expect(next, "the next call").toEqual({ stored: true, value: 1 });
      expect(await wire.settled()).toHaveLength(1);
    });
  }
});

test("a database connection that the browser closes is reopened without an error for the caller", async ({
  page,
  nats,
  namespace,
  site,
  wire,
}) => {
  await page.addInitScript(() => {
    const open = IDBFactory.prototype.open;
    IDBFactory.prototype.open = function (...args) {
      const request = open.apply(this, args);
      request.addEventListener("success", () => (globalThis.held = request.result));
      return request;
    };
  });
  await visit(page, site.url);
  await openStore(page, nats.wsUrl, namespace, { maxEntries: 100 });
  const results = await page.evaluate(async () => {
    const calls: Record<string, () => Promise<unknown>> = {
      store: () => store.store("a", 1),
      retrieve: () => store.retrieve("a", { useCache: false }),
      update: () => store.update("a", 2),
      exists: () => store.exists("a"),
      getMetadata: () => store.getMetadata("a").then((found) => found?.version),
      bulkStore: () => store.bulkStore({ b: 1, c: 2 }).then((results) => [...results.values()]),
      bulkRetrieve: () => store.bulkRetrieve(["a", "b"], { useCache: false }).then((found) => [...found.values()]),
      listKeys: () => store.listKeys(),
      delete: () => store.delete("a"),
      flush: () => store.flush(),
      pendingWrites: () => store.pendingWrites(),
      getStorageStats: () => store.getStorageStats().then(({ entries }) => entries),
      sweep: () => store.sweep(),
      clearCache: () => store.clearCache(),
    };
    const results: Record<string, unknown> = {};
    await store.ping();
    for (const [name, call] of Object.entries(calls)) {
      // As Safari closes it, without an event: the next transaction throws.
      (globalThis.held as IDBDatabase | undefined)?.close();
      results[name] = await call().catch((error: unknown) => String(error));
    }
    return results;
  });
  expect(results).toEqual({
    store: true,
    retrieve: 1,
    update: true,
    exists: true,
    getMetadata: 2,
    bulkStore: [true, true],
    bulkRetrieve: [2, 1],
    listKeys: ["a", "b", "c"],
    delete: true,
    flush: { published: 0, pending: 0, rejected: 0 },
    pendingWrites: [],
    getStorageStats: 2,
    sweep: 0,
    clearCache: undefined,
  });
  await wire.waitFor(5);
});

/** Makes the browser clear the site's data. */
async function clearSiteData(page: Page): Promise<void> {
  await page.evaluate((path) => fetch(path), CLEAR_SITE_DATA);
}

test("a store dispatches `reset`, empties its memory and works when the site's data is cleared", async ({
  page,
  openPage,
  nats,
  namespace,
  wire,
}) => {
  const other = await openPage();
  for (const each of [page, other]) await openStore(each, nats.wsUrl, namespace);
  await page.evaluate(() => store.store("a", 1));
  expect(await other.evaluate(() => store.retrieve("a"))).toBe(1);

  await clearSiteData(page);

  for (const each of [page, other]) {
    // The browser dispatches a separate event in each page.
    await expect.poll(() => each.evaluate(() => store.getCacheStats().size), "entries in memory").toBe(0);
    expect(await each.evaluate(async () => ({ value: await store.retrieve("a"), keys: await store.listKeys() }))).toEqual({
      value: undefined,
      keys: [],
    });
    await expect.poll(() => each.evaluate(() => resets.length)).toBe(1);
  }
  expect(
    await page.evaluate(async () => ({ stored: await store.store("a", 2), value: await store.retrieve("a", { useCache: false }) })),
  ).toEqual({ stored: true, value: 2 });
  expect(await other.evaluate(() => store.retrieve("a"))).toBe(2);
  const [first, second] = await wire.waitFor(2);
  expect(second?.headers["Nats-Msg-Id"], "another write with the same key and version").not.toBe(first?.headers["Nats-Msg-Id"]);
  expect(second?.envelope?.metadata?.version).toBe(1);
});

test("a running write settles and the store works when the site's data is cleared", async ({
  page,
  nats,
  namespace,
  wire,
  openLink,
  consoleGuard,
}) => {
  consoleGuard.allowFailedSockets();
  const link = await openLink(nats);
  await openStore(page, link.wsUrl, namespace, { timeoutMs: 5_000 });
  link.hang();
  const pending = page.evaluate(() => store.store("a", 1));
  await expect.poll(() => page.evaluate(() => store.getMetadata("a").then((found) => found?.version))).toBe(1);
  await clearSiteData(page);
  expect(await pending).toBe(false);
  await link.mend();
  expect(await page.evaluate(() => store.flush())).toMatchObject({ pending: 0 });
  expect(await page.evaluate(() => store.pendingWrites())).toEqual([]);
  await expect.poll(() => page.evaluate(() => store.store("b", 1))).toBe(true);
  await wire.settled();
  expect(wire.messages.at(-1)?.envelope?.key).toBe("b");
});

declare global {
  /** In the page: the reasons of the `reset` events of `store`. */
  var resets: string[];
  /** In the page: a database that a script keeps open, or that the store has opened last. */
  var held: IDBDatabase;
  var restoreOpen: () => void;
}
