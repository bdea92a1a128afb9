import { describe, expect, it, vi } from "vitest";
import { Reader } from "../read/reader.ts";
import { codeOf } from "../testing/errors.ts";
import { watchTransactions, writesAmong } from "../testing/indexeddb.ts";
import { listen, usePage } from "../testing/stores.ts";

const page = usePage();

const increment = (present: unknown): number => ((present as number | undefined) ?? 0) + 1;

describe("Concurrent updates of a key in one store", () => {
  it("with functions that return no promise run once each", async () => {
    const store = page.open();
    const compute = vi.fn<typeof increment>(increment);
    await Promise.all(Array.from({ length: 50 }, () => store.update("k", compute)));
    expect(compute).toHaveBeenCalledTimes(50);
    expect(await store.retrieve("k")).toBe(50);
  });

  it("with functions that return promises run at most twice each", async () => {
    const store = page.open();
    const compute = vi.fn<(present: unknown) => Promise<number>>(async (present) => increment(present));
    await Promise.all(Array.from({ length: 50 }, () => store.update("k", compute)));
    expect(compute.mock.calls.length).toBeLessThanOrEqual(100);
    expect(await store.retrieve("k")).toBe(50);
  });

  it("of different keys do not wait for each other", async () => {
    const store = page.open();
    let finish = (): void => undefined;
    const slow = store.update("slow", () => new Promise<string>((resolve) => (finish = () => resolve("done"))));
    expect(await store.update("k", increment)).toBe(true);
    finish();
    expect(await slow).toBe(true);
  });
});

describe("Updates of a key in two tabs", () => {
  it("take a lock one after another, so that no function runs twice", async () => {
    const tabs = [page.open(), page.open()];
    const compute = vi.fn<typeof increment>(increment);
    await Promise.all(Array.from({ length: 60 }, (_, index) => tabs[index % 2]!.update("k", compute)));
    expect(compute).toHaveBeenCalledTimes(60);
    expect(await page.open().retrieve("k")).toBe(60);
  });

  it("need no lock for a correct result", async () => {
    vi.stubGlobal("navigator", { onLine: true });
    const tabs = [page.open(), page.open()];
    await Promise.all(Array.from({ length: 60 }, (_, index) => tabs[index % 2]!.update("k", increment)));
    expect(await page.open().retrieve("k")).toBe(60);
  });
});

describe("An update with a function", () => {
  it("opens no connection while its function runs, and none if it fails", async () => {
    const store = page.open();
    let fail = (): void => undefined;
    const begun = new Promise<void>((begin) => {
      void store
        .update("k", () => {
          begin();
          return new Promise((_, reject) => (fail = () => reject(new Error("failed"))));
        })
        .catch(() => undefined);
    });
    await begun;
    expect(page.nats.dials).toBe(0);
    fail();
    await store.close();
    expect(page.nats.dials).toBe(0);
  });

  it("is one read and one write of the database, and one event", async () => {
    const store = page.open();
    await store.update("k", increment);
    await store.flush();
    const events = listen(store);
    const transactions = watchTransactions();
    await store.update("k", increment);
    expect(writesAmong(transactions)).toBeLessThanOrEqual(2);
    expect(events).toEqual([{ type: "published", detail: { key: "k", version: 2, operation: "store" } }]);
  });

  it("whose signal is aborted while it is published resolves false, and the value is published later", async () => {
    page.nats.hold();
    const store = page.open();
    const controller = new AbortController();
    const updating = store.update("k", increment, { signal: controller.signal });
    await page.nats.received(1);
    controller.abort();
    expect(await updating).toBe(false);
    expect(await store.retrieve("k")).toBe(1);
    page.nats.answer();
  });

  it("is refused by the server as a store is, and is kept", async () => {
    const store = page.open();
    page.nats.denies = () => true;
    await expect(store.update("k", increment)).rejects.toMatchObject({ code: "PUBLISH_REJECTED", key: "k" });
    expect(await store.retrieve("k")).toBe(1);
  });

  it("with ifVersion is refused if the entry expires while it is read", async () => {
    const store = page.open();
    await store.store("k", 1, { ttl: 1 });
    const compute = vi.fn<(present: unknown) => string>(() => "new");
    const readRow = Reader.prototype.readRow;
    vi.spyOn(Reader.prototype, "readRow").mockImplementationOnce(async function (this: Reader, key) {
      const row = await readRow.call(this, key);
      page.clock.wallTime += 2_000;
      return row;
    });
    expect(await codeOf(() => store.update("k", compute, { ifVersion: 1 }))).toBe("VERSION_CONFLICT");
    expect(compute).toHaveBeenCalledWith(undefined);
    expect(await store.exists("k")).toBe(false);
  });
});
