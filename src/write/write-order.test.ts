import { IDBDatabase } from "fake-indexeddb";
import { describe, expect, it, vi } from "vitest";
import { codeOf } from "../testing/errors.ts";
import { watchTransactions, writesAmong } from "../testing/indexeddb.ts";
import { usePage } from "../testing/stores.ts";

const page = usePage();

describe("The writes of a key", () => {
  it("keep their order, though one in the middle fails before its turn", async () => {
    const store = page.open();
    await store.store("warm", 1);
    let read = (): void => undefined;
    const file = new Blob(["first"]);
    file.arrayBuffer = () => new Promise((resolve) => (read = () => resolve(new TextEncoder().encode("first").buffer)));
    const first = store.store("k", file, { format: "binary" });
    const middle = codeOf(() => store.store("k", "y".repeat(2_000_000)));
    const last = store.store("k", "last");
    expect(await middle).toBe("PAYLOAD_TOO_LARGE");
    const later = store.store("k", "later");
    // A write of another key does not wait for them.
    await store.store("unrelated", 1);
    read();
    expect(await Promise.all([first, last, later])).toEqual([true, true, true]);
    expect(await store.retrieve("k")).toBe("later");
    expect(page.nats.log.filter((line) => line.startsWith("k@"))).toEqual(["k@1", "k@2", "k@3"]);
  });

  it("keep their versions when room has to be made for one", async () => {
    const store = page.open();
    for (let n = 0; n < 3; n++) await store.store("k", n);
    await store.flush();
    const { transaction: begin } = IDBDatabase.prototype;
    let full = true;
    vi.spyOn(IDBDatabase.prototype, "transaction").mockImplementation(function (this: IDBDatabase, ...given) {
      const transaction = begin.apply(this, given);
      if (given[1] === "readwrite" && full) {
        full = false;
        queueMicrotask(() => transaction.abort());
      }
      return transaction;
    });
    await store.store("k", 3, { ifVersion: 3 }).catch(() => undefined);
    expect((await store.getMetadata("k"))?.version).toBeGreaterThanOrEqual(3);
  });

  it("that the memory cache holds are written in one transaction, however many a bulk call has", async () => {
    const store = page.open();
    const items = Object.fromEntries(Array.from({ length: 10 }, (_, n) => [`k${n}`, n]));
    await store.bulkStore(items);
    await store.flush();
    const transactions = watchTransactions();
    await store.bulkStore(items);
    expect(writesAmong(transactions)).toBe(1);
  });
});

describe("The tags of a write", () => {
  it("are captured in the call, so that the array may change afterwards", async () => {
    const store = page.open();
    const tags = ["a"];
    const writing = store.store("k", 1, { tags });
    tags.push("b");
    await writing;
    expect((await store.getMetadata("k"))?.tags).toEqual(["a"]);
  });
});
