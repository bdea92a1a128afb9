import { describe, expect, it, vi } from "vitest";
import { caught, codeOf, errorOf } from "../testing/errors.ts";
import { allOutbox, allRows, openDatabase, watchTransactions, writesAmong } from "../testing/indexeddb.ts";
import { committed, DATABASE, listen, usePage } from "../testing/stores.ts";

const page = usePage();

const words = "the same words again and again ".repeat(20_000);

describe("Concurrent writes of one key commit in the order of the calls", () => {
  it("a large compressed one before a small one", async () => {
    const store = page.open({ compression: true });
    const results = await Promise.all([
      store.store("k", words),
      store.store("k", "small"),
      store.store("k", words),
      store.store("k", "last"),
    ]);
    expect(results).toEqual([true, true, true, true]);
    expect(await store.retrieve("k")).toBe("last");
    expect(page.nats.log).toEqual(["k@1", "k@2", "k@3", "k@4"]);
  });

  it("the first structured one of a page before json", async () => {
    const store = page.open();
    await Promise.all([store.store("k", new Date(1), { format: "structured" }), store.store("k", 2)]);
    expect(await store.retrieve("k")).toBe(2);
    expect(page.nats.of("k").map((envelope) => "metadata" in envelope && envelope.metadata.format)).toEqual(["structured", "json"]);
  });

  it("a Blob before text, a bulk call before a delete, a delete before a store", async () => {
    const store = page.open();
    const calls = [
      store.store("k", new Blob([words]), { format: "binary" }),
      store.store("k", "text", { format: "text" }),
      store.bulkStore({ k: words, other: 1 }),
      store.delete("k"),
      store.store("k", "end"),
    ];
    expect(await Promise.all(calls)).toEqual([
      true,
      true,
      new Map([
        ["k", true],
        ["other", true],
      ]),
      true,
      true,
    ]);
    expect(await store.retrieve("k")).toBe("end");
    expect(page.nats.of("k").map(({ operation }) => operation)).toEqual(["store", "store", "store", "delete", "store"]);
  });

  it("an update without format after a binary store keeps the format", async () => {
    const store = page.open();
    const both = await Promise.all([
      store.store("k", new Uint8Array([1]), { format: "binary", tags: ["t"], ttl: 60 }),
      store.update("k", new Uint8Array([2])),
    ]);
    expect(both).toEqual([true, true]);
    expect(await store.retrieve("k")).toEqual(new Uint8Array([2]));
    expect(await store.getMetadata("k")).toMatchObject({ format: "binary", version: 2, tags: ["t"], ttl: 60 });
  });

  it("updates after a delete create the key again, in json", async () => {
    const store = page.open();
    await Promise.all([
      store.store("k", "x", { format: "text" }),
      store.delete("k"),
      store.update("k", { a: 1 }),
      store.update("k", { a: 2 }),
    ]);
    expect(await store.retrieve("k")).toEqual({ a: 2 });
  });

  it("stores that follow each other at once share a transaction, except the first", async () => {
    const store = page.open();
    await store.flush();
    page.nats.hold();
    const transactions = watchTransactions();
    const writing = Promise.all([1, 2, 3, 4, 5].map((n) => store.store("k", n)));
    await page.nats.received(5);
    expect(writesAmong(transactions)).toBeLessThanOrEqual(2);
    page.nats.answer();
    expect(await writing).toEqual([true, true, true, true, true]);
  });

  it("an update waits until the store before it is committed, not until it is published", async () => {
    const store = page.open();
    page.nats.hold();
    const writing = Promise.all([store.store("k", "text", { format: "text" }), store.update("k", "more")]);
    await committed("k", 2);
    expect(await store.getMetadata("k")).toMatchObject({ format: "text", pending: true });
    page.nats.answer();
    expect(await writing).toEqual([true, true]);
  });

  it("a write that fails does not delay the next", async () => {
    const store = page.open();
    const [failed, next] = await Promise.allSettled([store.store("k", 1, { ifVersion: 7 }), store.store("k", 2)]);
    expect(failed.status).toBe("rejected");
    expect(next.status).toBe("fulfilled");
    expect(await store.retrieve("k")).toBe(2);
  });
});

describe("A write captures its value when it is called", () => {
  class User {
    name = "Ada";
  }

  it.each<[string, (value: object) => Promise<unknown>]>([
    ["store", (value) => page.open().store("k", value)],
    ["update", (value) => page.open().update("k", value)],
    ["bulkStore", (value) => page.open().bulkStore({ k: value })],
  ])("in %s, of plain objects and of class instances", async (_, write) => {
    for (const value of [{ name: "Ada" }, new User()]) {
      const writing = write(value);
      value.name = "changed";
      await writing;
      expect(await page.open().retrieve("k")).toEqual({ name: "Ada" });
    }
  });

  it("and each read returns a copy of its own", async () => {
    const store = page.open();
    await store.store("k", { list: [1] });
    const first = await store.retrieve<{ list: number[] }>("k");
    first?.list.push(2);
    expect(await store.retrieve("k")).toEqual({ list: [1] });
  });
});

describe("update", () => {
  it("rejects a value with a getter that throws as store does", async () => {
    const store = page.open();
    const value = {
      get a(): number {
        throw new Error("no a today");
      },
    };
    expect(await caught(() => store.store("k", value))).toMatchObject({ code: "INVALID_VALUE" });
    expect(await caught(() => store.update("k", value))).toMatchObject({ code: "INVALID_VALUE" });
  });

  it("rejects a value that the present format does not accept, and changes nothing", async () => {
    const store = page.open();
    await store.store("k", "text", { format: "text" });
    expect(await codeOf(() => store.update("k", 5))).toBe("INVALID_VALUE");
    expect(await store.getMetadata("k")).toMatchObject({ version: 1 });
  });

  it("keeps the time when the key was created, as store does", async () => {
    const createdAt = page.clock.now();
    const store = page.open();
    await store.store("k", 1);
    for (const write of ["store", "update"] as const) {
      await page.clock.advance(1_000);
      await store[write]("k", 2);
      expect(await store.getMetadata("k")).toMatchObject({ createdAt: new Date(createdAt), updatedAt: new Date(page.clock.now()) });
    }
    await store.delete("k");
    await store.store("k", 3);
    expect((await store.getMetadata("k"))?.createdAt.getTime()).toBe(page.clock.now());
  });

  it("uses the given options in place of the present metadata", async () => {
    const store = page.open({ defaultTtl: 10 });
    await store.store("k", 1, { ttl: null, tags: ["a"] });
    await store.update("k", "x", { format: "text", tags: ["b"] });
    expect(await store.getMetadata("k")).toMatchObject({ format: "text", tags: ["b"], ttl: null });
  });
});

describe("A bulk call", () => {
  it("reports its progress, even if the callback throws", async () => {
    const reported = vi.fn<(error: unknown) => void>();
    vi.stubGlobal("reportError", reported);
    const store = page.open();
    const told: [number, number][] = [];
    const items = Object.fromEntries(Array.from({ length: 1_500 }, (_, n) => [`k${n}`, n]));
    await store.bulkStore(items, {
      onProgress: (done, total) => {
        told.push([done, total]);
        throw new Error("mine");
      },
    });
    expect(told.length).toBeGreaterThan(1);
    expect(told.map(([done]) => done)).toEqual(told.map(([done]) => done).toSorted((a, b) => a - b));
    expect(told.every(([, total]) => total === 1_500)).toBe(true);
    expect(told.at(-1)).toEqual([1_500, 1_500]);
    expect(reported).toHaveBeenCalledTimes(told.length);
    expect(await codeOf(() => store.bulkStore(items, { onProgress: 5 as never }))).toBe("INVALID_OPTION");
  });

  it("of invalid items rejects before anything is written", async () => {
    const store = page.open();
    expect(await codeOf(() => store.bulkStore({ a: 1, b: 1n }))).toBe("INVALID_VALUE");
    expect(
      await codeOf(() =>
        store.bulkStore([
          ["a", 1],
          ["", 2],
        ]),
      ),
    ).toBe("INVALID_KEY");
    expect(await store.listKeys()).toEqual([]);
  });

  it("writes a repeated key once, with its last value", async () => {
    const store = page.open();
    expect(
      await store.bulkStore([
        ["a", 1],
        ["b", 2],
        ["a", 3],
      ]),
    ).toEqual(
      new Map([
        ["a", true],
        ["b", true],
      ]),
    );
    expect(await store.retrieve("a")).toBe(3);
    expect(page.nats.log.toSorted()).toEqual(["a@1", "b@1"]);
  });

  it("of a few entries uses one transaction and one connection", async () => {
    const store = page.open();
    await store.flush();
    const transactions = watchTransactions();
    await store.bulkStore(Array.from({ length: 200 }, (_, n) => [`k${n}`, n] as const));
    expect(
      transactions.mock.calls.filter(([tables, mode]) => mode === "readwrite" && Array.isArray(tables) && tables.length > 1).length,
    ).toBeLessThanOrEqual(2);
    expect(page.nats.dials).toBe(1);
  });

  it("that fails part-way has the results of the slices before, and changes nothing in its own slice", async () => {
    const store = page.open();
    await store.store("k299", 0);
    const items = Array.from({ length: 300 }, (_, n): [string, number] => [`k${n}`, n]);
    const error = await errorOf(() => store.bulkStore(items, { ifVersion: 0 }));
    expect(error.code).toBe("VERSION_CONFLICT");
    expect(error.key).toBe("k299");
    expect([...(error.results ?? [])]).toEqual(items.slice(0, 256).map(([key]) => [key, true]));
    expect((await store.listKeys()).length).toBe(257);
  });

  it("resolves false and dispatches `rejected` for refused keys, and resolves true for the others", async () => {
    const store = page.open();
    const events = listen(store);
    page.nats.denies = (subject) => subject.endsWith(".b");
    expect(await store.bulkStore({ a: 1, b: 2, c: 3 })).toEqual(
      new Map([
        ["a", true],
        ["b", false],
        ["c", true],
      ]),
    );
    expect(events.filter(({ type }) => type === "rejected")).toMatchObject([
      { detail: { key: "b", version: 1, error: { code: "PUBLISH_REJECTED" } } },
    ]);
  });

  it("of no items resolves to an empty Map and opens no connection", async () => {
    const store = page.open();
    expect(await store.bulkStore({})).toEqual(new Map());
    expect(page.nats.dials).toBe(0);
  });
});

describe("A write", () => {
  it("resolves true once the server has read it, and is not pending then", async () => {
    const store = page.open();
    const events = listen(store);
    expect(await store.store("k", 1)).toBe(true);
    expect(await store.pendingWrites()).toEqual([]);
    expect((await store.getMetadata("k"))?.pending).toBe(false);
    expect(events).toEqual([{ type: "published", detail: { key: "k", version: 1, operation: "store" } }]);
    await store.flush();
    expect(await allOutbox(openDatabase(DATABASE))).toEqual([]);
  });

  it("resolves false when no server answers, after the `offline` event with the reason, and is queued", async () => {
    page.nats.dialling = "refuses";
    const store = page.open();
    const events = listen(store);
    expect(await store.store("k", 1)).toBe(false);
    expect(events[0]).toMatchObject({ type: "offline", detail: { error: new Error("connection refused") } });
    expect(await store.pendingWrites()).toMatchObject([{ key: "k", operation: "store", version: 1, rejected: false }]);
    expect(await store.getMetadata("k")).toMatchObject({ pending: true });
  });

  it("does not try again after a failure until the next attempt is due", async () => {
    page.clock.chance = 1;
    page.nats.dialling = "refuses";
    const store = page.open();
    await store.store("a", 1);
    const { dials } = page.nats;
    expect(await Promise.all([store.store("b", 1), store.store("a", 2), store.delete("c")])).toEqual([false, false, false]);
    expect(page.nats.dials).toBe(dials);
  });

  it("rejects when the server refuses it, is kept, and leaves the outbox when a newer write supersedes it", async () => {
    const store = page.open();
    page.nats.denies = () => true;
    expect(await errorOf(() => store.store("k", 1))).toMatchObject({ code: "PUBLISH_REJECTED", key: "k" });
    expect(await store.retrieve("k")).toBe(1);
    expect(await store.pendingWrites()).toMatchObject([{ key: "k", rejected: true }]);
    page.nats.denies = () => false;
    expect(await store.store("k", 2)).toBe(true);
    expect(await store.pendingWrites()).toEqual([]);
  });

  it("that was refused while a newer write was running leaves the outbox with the next write", async () => {
    const store = page.open();
    page.nats.denies = () => true;
    await Promise.allSettled([store.store("k", 1), store.store("k", 2)]);
    page.nats.denies = () => false;
    expect(await store.store("k", 3)).toBe(true);
    expect(await store.pendingWrites()).toEqual([]);
  });

  it("larger than maxPayloadBytes is refused before anything is written, measured as a message", async () => {
    const store = page.open({ maxPayloadBytes: 2_000 });
    expect(await codeOf(() => store.store("k", "x".repeat(2_000)))).toBe("PAYLOAD_TOO_LARGE");
    expect(await codeOf(() => store.store("k", new Uint8Array(1_400), { format: "binary" }))).toBe("PAYLOAD_TOO_LARGE");
    expect(await store.exists("k")).toBe(false);
    expect(page.nats.log).toEqual([]);
    expect(await store.store("k", "x".repeat(1_400))).toBe(true);
  });

  it("larger than the server's limit is refused before anything is written once the store knows the limit", async () => {
    page.nats.maxPayload = 3_000;
    const store = page.open();
    await store.ping();
    expect(await codeOf(() => store.store("k", "x".repeat(3_000)))).toBe("PAYLOAD_TOO_LARGE");
    expect(await store.exists("k")).toBe(false);
  });

  it("with ifVersion commits only on that version", async () => {
    const store = page.open();
    expect(await store.store("k", 1, { ifVersion: 0 })).toBe(true);
    expect(await codeOf(() => store.store("k", 2, { ifVersion: 0 }))).toBe("VERSION_CONFLICT");
    const both = await Promise.allSettled([store.store("k", 2, { ifVersion: 1 }), store.store("k", 3, { ifVersion: 1 })]);
    expect(both.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
    expect(await codeOf(() => store.delete("k", { ifVersion: 1 }))).toBe("VERSION_CONFLICT");
    expect(await store.delete("k", { ifVersion: 2 })).toBe(true);
  });

  it("shares one connection with concurrent writes, which is closed afterwards", async () => {
    const store = page.open();
    await Promise.all(Array.from({ length: 20 }, (_, n) => store.store(`k${n}`, n)));
    expect(page.nats.dials).toBe(1);
    await page.nats.closed();
  });

  it("has an id that no other write has", async () => {
    const store = page.open();
    for (let round = 0; round < 3; round++) {
      await store.store("k", 1);
      await store.delete("k");
    }
    expect(new Set(page.nats.arrived.map(({ id }) => id)).size).toBe(6);
    expect(page.nats.log).toEqual(["k@1", "k@2", "k@3", "k@4", "k@5", "k@6"]);
  });
});

describe("delete", () => {
  it("resolves to whether the key existed, and is published in both cases", async () => {
    const store = page.open();
    await store.store("k", 1);
    expect(await store.delete("k")).toBe(true);
    expect(await store.delete("k")).toBe(false);
    expect(page.nats.of("k").map(({ operation }) => operation)).toEqual(["store", "delete", "delete"]);
    await store.flush();
    expect(await allRows(openDatabase(DATABASE))).toEqual({});
  });
});
