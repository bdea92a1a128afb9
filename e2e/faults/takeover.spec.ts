import type { WorkerAnswer, WorkerCall } from "../page/store-worker.ts";
import { expect, test, visit } from "../support/faults.ts";
import { reload } from "../support/fixtures.ts";
import { beginWrites, openStores, publishedOf, takeoverTests, UNDER_WAY } from "../support/takeover.ts";

takeoverTests({
  "is closed": (tab) => tab.close(),
  "navigates to another page": async (tab) => void (await tab.goto("about:blank")),
});

test("a tab does not publish the running writes of a live tab", async ({
  page: other,
  openPage,
  nats,
  wire,
  namespace,
  openLink,
  consoleGuard,
}) => {
  consoleGuard.allowFailedSockets();
  const link = await openLink(nats);
  const slow = await openPage();
  await openStores(other, nats.wsUrl, slow, link.wsUrl, namespace);
  const ended = await beginWrites({ living: other, ending: slow, link, connected: true });

  await other.evaluate(async () => {
    await store.flush();
    await store.store("mine", 1);
    await store.flush();
  });
  await wire.settled();
  expect(publishedOf(wire), "writes that another tab is sending").toEqual({});

  await link.mend();
  expect(await ended()).toEqual([true, ...Array.from({ length: 10 }, () => true)]);
  await wire.settled();
  expect(publishedOf(wire)).toEqual(UNDER_WAY);
  const twice = wire.messages.filter(
    ({ envelope }, index) =>
      wire.messages.findIndex((other) => other.envelope?.key === envelope?.key && other.envelope?.operation === envelope?.operation) !==
      index,
  );
  expect(
    twice.map(({ text }) => text),
    "sent twice",
  ).toEqual([]);
});

for (const missing of [["locks"], ["BroadcastChannel"], ["locks", "BroadcastChannel"]]) {
  test(`a store works in one tab without ${missing.join(" and ")}`, async ({
    context,
    nats,
    wire,
    namespace,
    openLink,
    site,
    consoleGuard,
  }) => {
    consoleGuard.allowFailedSockets();
    await context.addInitScript((missing) => {
      if (missing.includes("locks")) Object.defineProperty(Navigator.prototype, "locks", { get: () => undefined });
      if (missing.includes("BroadcastChannel")) Reflect.deleteProperty(globalThis, "BroadcastChannel");
    }, missing);
    const page = await visit(await context.newPage(), site.url);
    const link = await openLink(nats);
    const open = (): Promise<void> =>
      page.evaluate(
        ([servers, namespace]) => void (globalThis.store = new keystore.NASKeyStore({ servers, namespace, timeoutMs: aids.LONG_MS })),
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

    // The write is queued, and published when the server is reachable again.
    await link.cut();
    expect(await page.evaluate(() => store.store("a", 3))).toBe(false);
    await link.mend();
    expect(await page.evaluate(() => store.flush())).toMatchObject({ pending: 0, rejected: 0 });

    // The write is running at the reload. The next store of the page publishes it.
    link.hang();
    await page.evaluate(() => void store.store("a", 4));
    await expect.poll(() => page.evaluate(() => store.getMetadata("a").then((found) => found?.version))).toBe(4);
    await reload(page);
    await link.mend();
    await open();
    await expect.poll(() => page.evaluate(async () => (await store.pendingWrites()).length)).toBe(0);
    await wire.settled();
    expect(wire.messages.findLast(({ envelope }) => envelope?.key === "a")?.envelope?.value).toBe("4");
    expect(await page.evaluate(() => store.retrieve("a"))).toBe(4);
  });
}

for (const kind of ["dedicated worker", "service worker"] as const) {
  test(`a store works in a ${kind}`, async ({ page, nats, wire, namespace }) => {
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
          await workerCall("new", { servers, namespace, timeoutMs: aids.LONG_MS, compression: true });
          return {
            json: await workerCall("store", "a", { b: 1 }),
            // Loads the lazy parts: gzip and the serializer.
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

test("a page publishes the running writes of a dedicated worker that was terminated", async ({
  page,
  nats,
  wire,
  namespace,
  openLink,
  consoleGuard,
}) => {
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
          if (type === "changes") resolve();
        };
      });
      for (const call of [
        ["new", { servers: hanging, namespace, timeoutMs: aids.LONG_MS }],
        ["store", "a", 1],
      ]) {
        worker.postMessage(call, {});
      }
      await committed;
      worker.terminate();
    },
    [nats.wsUrl, link.wsUrl, namespace] as const,
  );
  await wire.waitFor(1);
  expect(wire.messages[0]?.envelope).toMatchObject({ key: "a", value: "1" });
});

declare global {
  var workerCall: (...call: WorkerCall) => Promise<unknown>;
}
