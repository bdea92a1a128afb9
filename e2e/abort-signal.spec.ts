import { LONG_MS } from "./support/deadline.ts";
import { expect, test } from "./support/fixtures.ts";
import { keysOf } from "./support/messages.ts";

test.describe("an aborted signal", () => {
  test("operations reject with the reason of an aborted signal, and nothing is stored or sent", async ({ page, openStore, wire }) => {
    await openStore();
    const seen = await page.evaluate(async () => {
      await store.store("there", 1);
      const reason = new Error("changed my mind");
      const signal = AbortSignal.abort(reason);
      const outcome = (work: () => Promise<unknown>) =>
        work().then(
          () => "done",
          (error: unknown) => (error === reason ? "the reason" : String(error)),
        );
      return [
        await outcome(() => store.store("k", 1, { signal })),
        await outcome(() => store.update("k", 1, { signal })),
        await outcome(() => store.update("k", "text", { signal, format: "text" })),
        await outcome(() => store.bulkStore({ k: 1 }, { signal })),
        await outcome(() => store.delete("there", { signal })),
        await outcome(() => store.retrieve("there", { signal })),
        await outcome(() => store.bulkRetrieve(["there"], { signal })),
        await outcome(() => store.flush({ signal })),
        await store.listKeys(),
        await store.pendingWrites(),
      ];
    });
    expect(seen).toEqual([...Array.from({ length: 8 }, () => "the reason"), ["there"], []]);
    await wire.waitFor(1);
    expect(await wire.settled()).toHaveLength(1);
  });

  test("a signal that is aborted in the same task as the call prevents the commit", async ({ page, openStore, wire }) => {
    await openStore();
    const seen = await page.evaluate(async () => {
      const controller = new AbortController();
      const stored = store.store("k", 1, { signal: controller.signal });
      controller.abort();
      return { error: await stored.catch((error: Error) => error.name), exists: await store.exists("k") };
    });
    expect(seen).toEqual({ error: "AbortError", exists: false });
    expect(await wire.settled()).toEqual([]);
  });

  test("a write resolves false when its signal is aborted after the commit, and is published later", async ({
    page,
    nats,
    openLink,
    openStore,
    wire,
  }) => {
    const link = await openLink(nats);
    await openStore({ servers: link.wsUrl, lingerMs: LONG_MS });
    expect(await page.evaluate(() => store.ping())).toBe(true);
    link.hang();
    const seen = await page.evaluate(async () => {
      const controller = new AbortController();
      const { signal } = controller;
      const writes = [
        store.store("a", 1, { signal }),
        store.bulkStore({ b: 2 }, { signal }).then((results) => results.get("b")),
        store.delete("c", { signal }),
      ];
      while ((await store.listKeys()).length < 2);
      controller.abort();
      return { results: await Promise.all(writes), value: await store.retrieve("a") };
    });
    expect(seen).toEqual({ results: [false, false, false], value: 1 });
    await link.mend();
    expect(keysOf(await wire.waitFor(3)).toSorted()).toEqual(["a", "b", "c"]);
  });

  test("a signal that is aborted after the operation changes nothing", async ({ page, openStore }) => {
    await openStore();
    const seen = await page.evaluate(async () => {
      const controller = new AbortController();
      const stored = await store.store("k", 1, { signal: controller.signal });
      controller.abort();
      return { stored, value: await store.retrieve("k") };
    });
    expect(seen).toEqual({ stored: true, value: 1 });
  });
});
