import type { Page } from "@playwright/test";
import type { WorkerAnswer, WorkerCall } from "../page/store-worker.ts";
import { expect, test, visit } from "../support/faults.ts";
import type { Link } from "../support/link.ts";
import { reload } from "../support/fixtures.ts";
import type { Wire } from "../support/wire.ts";

const TAKEOVER_MS = 5_000;

const deaths: Record<string, (tab: Page) => Promise<void>> = {
  crashes: async (tab) => {
    const crashed = new Promise((resolve) => tab.once("crash", resolve));
    const session = await tab.context().newCDPSession(tab);
    // It answers nothing any more.
    session.send("Page.crash").catch(() => {});
    await crashed;
  },
  "is closed": (tab) => tab.close(),
  "goes elsewhere": async (tab) => void (await tab.goto("about:blank")),
};

for (const [death, die] of Object.entries(deaths)) {
  for (const connected of [true, false]) {
    test(`a living tab publishes within 5 s what a tab that ${death} had under way (${connected ? "connected" : "connecting"})`, async ({
      page: living,
      openPage,
      nats,
      wire,
      namespace,
      openLink,
      consoleGuard,
    }) => {
      consoleGuard.allowFailedSockets();
      const link = await openLink(nats);
      const dying = await openPage();
      await openStores(living, nats.wsUrl, dying, link.wsUrl, namespace);
      await beginWrites({ living, dying, link, connected });
      expect(wire.messages.filter(({ envelope }) => envelope?.key.startsWith("under-way")), "nothing is out yet").toEqual([]);

      await die(dying);
      const died = Date.now();
      await expect.poll(() => publishedOf(wire), { message: "taken over", timeout: 4 * TAKEOVER_MS }).toEqual(UNDER_WAY);
      expect(Date.now() - died, "ms until all were taken over").toBeLessThan(TAKEOVER_MS);
      await expect.poll(() => living.evaluate(async () => (await store.pendingWrites()).length)).toBe(0);
      expect(await living.evaluate(() => store.bulkRetrieve(["under-way-0", "under-way-9"]).then((found) => [...found.values()]))).toEqual([0, 9]);
    });
  }
}

test("a live tab's writes under way are left alone", async ({ page: other, openPage, nats, wire, namespace, openLink, consoleGuard }) => {
  consoleGuard.allowFailedSockets();
  const link = await openLink(nats);
  const slow = await openPage();
  await openStores(other, nats.wsUrl, slow, link.wsUrl, namespace);
  const ended = await beginWrites({ living: other, dying: slow, link, connected: true });

  await other.evaluate(async () => {
    await store.flush();
    await store.store("mine", 1);
    await store.flush();
  });
  await wire.settled();
  expect(publishedOf(wire), "what another tab sends").toEqual({});

  await link.mend();
  expect(await ended()).toEqual([true, ...Array.from({ length: 10 }, () => true)]);
  await wire.settled();
  expect(publishedOf(wire)).toEqual(UNDER_WAY);
  const twice = wire.messages.filter(({ envelope }, index) => wire.messages.findIndex((other) => other.envelope?.key === envelope?.key && other.envelope?.operation === envelope?.operation) !== index);
  expect(twice.map(({ text }) => text), "sent twice").toEqual([]);
});

for (const missing of [["locks"], ["BroadcastChannel"], ["locks", "BroadcastChannel"]]) {
  test(`everything works in one tab without ${missing.join(" and ")}`, async ({ context, nats, wire, namespace, openLink, site, consoleGuard }) => {
    consoleGuard.allowFailedSockets();
    await context.addInitScript((missing) => {
      if (missing.includes("locks")) Object.defineProperty(Navigator.prototype, "locks", { get: () => undefined });
      if (missing.includes("BroadcastChannel")) Reflect.deleteProperty(globalThis, "BroadcastChannel");
    }, missing);
    const page = await visit(await context.newPage(), site.url);
    const link = await openLink(nats);
    const open = (): Promise<void> =>
      page.evaluate(
        ([servers, namespace]) => void (globalThis.store = new keystore.NASKeyStore({ servers, namespace, timeoutMs: 5_000 })),
        [link.wsUrl, namespace] as const,
      );

    await open();
    expect(
      await page.evaluate(async () => ({
        store: await store.store("a", 1),
        update: await store.update("a", 2),
        bulk: [...(await store.bulkStore({ b: 1, c: 2 }))],
        delete: await store.delete("b"),
        read: [await store.retrieve("a"), await store.retrieve("b"), await store.listKeys()],
        pending: await store.pendingWrites(),
      })),
    ).toEqual({
      store: true,
      update: true,
      bulk: [
        ["b", true],
        ["c", true],
      ],
      delete: true,
      read: [2, undefined, ["a", "c"]],
      pending: [],
    });

    // Queued, and published when the server is back.
    await link.cut();
    expect(await page.evaluate(() => store.store("a", 3))).toBe(false);
    await link.mend();
    expect(await page.evaluate(() => store.flush())).toMatchObject({ pending: 0, rejected: 0 });

    // Under way when the page goes: its next store publishes it, at its start.
    link.hang();
    await page.evaluate(() => void store.store("a", 4));
    await expect.poll(() => page.evaluate(() => store.getMetadata("a").then((found) => found?.version))).toBe(4);
    await reload(page);
    await link.mend();
    await open();
    await expect.poll(() => page.evaluate(async () => (await store.pendingWrites()).length), { timeout: 20_000 }).toBe(0);
    await wire.settled();
    expect(wire.messages.findLast(({ envelope }) => envelope?.key === "a")?.envelope?.value).toBe("4");
    expect(await page.evaluate(() => store.retrieve("a"))).toBe(4);
  });
}

for (const kind of ["dedicated worker", "service worker"] as const) {
  test(`the store runs in a ${kind}`, async ({ page, nats, wire, namespace }) => {
    await page.evaluate(async (kind) => {
      const worker = await startWorker();
      globalThis.workerCall = (...call) =>
        new Promise((resolve, reject) => {
          const { port1, port2 } = new MessageChannel();
          port1.onmessage = ({ data: { value, error } }: MessageEvent<WorkerAnswer>) => {
            if (error === undefined) resolve(value);
            else reject(new Error(error));
          };
          worker.postMessage(call, { transfer: [port2] });
        });

      async function startWorker(): Promise<Worker | ServiceWorker> {
        if (kind === "dedicated worker") return new Worker("worker.js", { type: "module" });
        await navigator.serviceWorker.register("service-worker.js");
        return (await navigator.serviceWorker.ready).active!;
      }
    }, kind);

    const big = "x".repeat(10_000);
    expect(
      await page.evaluate(
        async ([servers, namespace, big]) => {
          await workerCall("new", { servers, namespace, timeoutMs: 5_000, compression: true });
          return {
            json: await workerCall("store", "a", { b: 1 }),
            // What loads with its first use: fflate, the serializer.
            compressed: await workerCall("store", "big", big),
            structured: await workerCall("store", "set", new Set([1]), { format: "structured" }),
            update: await workerCall("update", "a", { b: 2 }),
            bulk: [...((await workerCall("bulkStore", { c: 1, d: 2 })) as Map<string, boolean>)],
            deleted: await workerCall("delete", "c"),
            read: [await workerCall("retrieve", "a"), await workerCall("retrieve", "c")],
            set: [...((await workerCall("retrieve", "set", { useCache: false })) as Set<number>)],
            big: (await workerCall("retrieve", "big", { useCache: false })) === big,
            pending: await workerCall("pendingWrites"),
          };
        },
        [nats.wsUrl, namespace, big] as const,
      ),
    ).toEqual({
      json: true,
      compressed: true,
      structured: true,
      update: true,
      bulk: [
        ["c", true],
        ["d", true],
      ],
      deleted: true,
      read: [{ b: 2 }, undefined],
      set: [1],
      big: true,
      pending: [],
    });
    expect((await wire.waitFor(7)).map(({ envelope }) => `${envelope?.operation} ${envelope?.key}`)).toEqual([
      "store a",
      "store big",
      "store set",
      "store a",
      "store c",
      "store d",
      "delete c",
    ]);
    await page.evaluate(() => workerCall("close"));
    await expect.poll(async () => (await nats.connections()).openWebSockets, "connections left").toBe(0);
  });
}

test("a page publishes what a dedicated worker had under way when it was ended", async ({ page, nats, wire, namespace, openLink, consoleGuard }) => {
  consoleGuard.allowFailedSockets();
  const link = await openLink(nats);
  link.hang();
  await page.evaluate(
    async ([servers, hanging, namespace]) => {
      globalThis.store = new keystore.NASKeyStore({ servers, namespace });
      const worker = new Worker("worker.js", { type: "module" });
      const committed = new Promise<void>((resolve) => {
        const channel = new BroadcastChannel(`nas-keystore/${namespace}`);
        channel.onmessage = ({ data: { type } }: MessageEvent<{ type: string }>) => {
          if (type === "written") resolve();
        };
      });
      for (const call of [
        ["new", { servers: hanging, namespace, timeoutMs: 60_000 }],
        ["store", "a", 1],
      ]) {
        worker.postMessage(call, {});
      }
      await committed;
      worker.terminate();
    },
    [nats.wsUrl, link.wsUrl, namespace] as const,
  );
  const ended = Date.now();
  await wire.waitFor(1);
  expect(Date.now() - ended).toBeLessThan(TAKEOVER_MS);
  expect(wire.messages[0]?.envelope).toMatchObject({ key: "a", value: "1" });
});

/** What `beginWrites` leaves under way, by key: the last operation. */
const UNDER_WAY = Object.fromEntries([
  ["under-way-deleted", "delete"],
  ...Array.from({ length: 10 }, (_, index) => [`under-way-${index}`, "store"]),
]) as Record<string, string>;

async function openStores(living: Page, way: string, dying: Page, dyingWay: string, namespace: string): Promise<void> {
  for (const [page, servers] of [
    [living, way],
    [dying, dyingWay],
  ] as const) {
    await page.evaluate(
      // So that writes stay under way for as long as a test takes.
      ([servers, namespace]) => void (globalThis.store = new keystore.NASKeyStore({ servers, namespace, timeoutMs: 60_000, lingerMs: 60_000 })),
      [servers, namespace] as const,
    );
  }
  expect(await living.evaluate(() => store.store("living", 1))).toBe(true);
}

/** Leaves writes of a tab under way. Resolves when they are committed; the function it gives to their results. */
async function beginWrites({ living, dying, link, connected }: { living: Page; dying: Page; link: Link; connected: boolean }): Promise<() => Promise<boolean[]>> {
  if (connected) expect(await dying.evaluate(() => store.ping())).toBe(true);
  link.hang();
  await dying.evaluate(() => {
    const keys = Array.from({ length: 10 }, (_, index) => [`under-way-${index}`, index] as const);
    globalThis.underWay = Promise.all([
      store.delete("under-way-deleted").then(() => true),
      ...keys.slice(0, 5).map(([key, value]) => store.store(key, value)),
      store.bulkStore(keys.slice(5)).then((results) => [...results.values()]),
    ]).then((results) => results.flat());
  });
  await expect
    .poll(() => living.evaluate(async () => (await store.pendingWrites()).length), "committed by the tab that is to die")
    .toBe(Object.keys(UNDER_WAY).length);
  return () => dying.evaluate(() => underWay);
}

/** The last operation on the wire of each key of `beginWrites`. */
function publishedOf(wire: Wire): Record<string, string> {
  return Object.fromEntries(
    wire.messages.flatMap(({ envelope }) => (envelope?.key.startsWith("under-way") ? [[envelope.key, envelope.operation]] : [])),
  ) as Record<string, string>;
}

declare global {
  var workerCall: (...call: WorkerCall) => Promise<unknown>;
}
