import { describe, expect, it, vi } from "vitest";
import { caught, codeOf, errorOf } from "../testing/errors.ts";
import { allOutbox, allRows, openDatabase, watchTransactions, writesAmong } from "../testing/indexeddb.ts";
import { DATABASE, eventually, listen, usePage } from "../testing/stores.ts";

const page = usePage();

const words = "the same words again and again ".repeat(20_000);

describe("writes of one key that nobody awaits commit in the order of the calls", () => {
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

  it("updates after a delete create the key anew, in json", async () => {
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
    await eventually(async () => (await store.getMetadata("k"))?.version === 2);
    expect(await store.getMetadata("k")).toMatchObject({ format: "text", pending: true });
    page.nats.answer();
    expect(await writing).toEqual([true, true]);
  });

  it("one that fails does not hold up the next", async () => {
    const store = page.open();
    const [failed, next] = await Promise.allSettled([store.store("k", 1, { ifVersion: 7 }), store.store("k", 2)]);
    expect([failed.status, next.status]).toEqual(["rejected", "fulfilled"]);
    expect(await store.retrieve("k")).toBe(2);
  });
});

describe("the value is what it was when the call was made", () => {
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

  it("and what is read is a copy that nobody else holds", async () => {
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

  it("rejects what the present format does not take, and changes nothing", async () => {
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

  it("takes what is given in place of what is kept", async () => {
    const store = page.open({ defaultTtl: 10 });
    await store.store("k", 1, { ttl: null, tags: ["a"] });
    await store.update("k", "x", { format: "text", tags: ["b"] });
    expect(await store.getMetadata("k")).toMatchObject({ format: "text", tags: ["b"], ttl: null });
  });
});

describe("a bulk call", () => {
  it("tells how far it has come, whatever the callback does", async () => {
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

  it("writes a key that is given twice once, with its last value", async () => {
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
    expect([await store.retrieve("a"), page.nats.log.toSorted()]).toEqual([3, ["a@1", "b@1"]]);
  });

  it("small enough is one transaction and one connection", async () => {
    const store = page.open();
    await store.flush();
    const transactions = watchTransactions();
    await store.bulkStore(Array.from({ length: 200 }, (_, n) => [`k${n}`, n] as const));
    expect(
      transactions.mock.calls.filter(([tables, mode]) => mode === "readwrite" && Array.isArray(tables) && tables.length > 1).length,
    ).toBeLessThanOrEqual(2);
    expect(page.nats.dials).toBe(1);
  });

  it("that fails part-way names the keys of the slices before, and has changed nothing of its own slice", async () => {
    const store = page.open();
    await store.store("k299", 0);
    const items = Array.from({ length: 300 }, (_, n): [string, number] => [`k${n}`, n]);
    const error = await errorOf(() => store.bulkStore(items, { ifVersion: 0 }));
    expect(error.code).toBe("VERSION_CONFLICT");
    expect(error.key).toBe("k299");
    expect([...(error.results ?? [])]).toEqual(items.slice(0, 256).map(([key]) => [key, true]));
    expect((await store.listKeys()).length).toBe(257);
  });

  it("gives false for what was refused, with its event, and true for the rest", async () => {
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

  it("of nothing gives nothing and connects to nobody", async () => {
    const store = page.open();
    expect(await store.bulkStore({})).toEqual(new Map());
    expect(page.nats.dials).toBe(0);
  });
});

describe("a write", () => {
  it("gives true once the server has read it, and is then confirmed everywhere", async () => {
    const store = page.open();
    const events = listen(store);
    expect(await store.store("k", 1)).toBe(true);
    expect([await store.pendingWrites(), (await store.getMetadata("k"))?.pending]).toEqual([[], false]);
    expect(events).toEqual([{ type: "published", detail: { key: "k", version: 1, operation: "store" } }]);
    await store.flush();
    expect(await allOutbox(openDatabase(DATABASE))).toEqual([]);
  });

  it("gives false when no server answers, after the event that says why, and waits in the outbox", async () => {
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

  it("that is refused rejects, is kept, and leaves the outbox when a newer one takes its place", async () => {
    const store = page.open();
    page.nats.denies = () => true;
    expect(await errorOf(() => store.store("k", 1))).toMatchObject({ code: "PUBLISH_REJECTED", key: "k" });
    expect([await store.retrieve("k"), await store.pendingWrites()]).toMatchObject([1, [{ key: "k", rejected: true }]]);
    page.nats.denies = () => false;
    expect(await store.store("k", 2)).toBe(true);
    expect(await store.pendingWrites()).toEqual([]);
  });

  it("that was refused while a newer one was under way does not stay waitsFor for ever", async () => {
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
    expect([await store.exists("k"), page.nats.log]).toEqual([false, []]);
    expect(await store.store("k", "x".repeat(1_400))).toBe(true);
  });

  it("larger than the server takes is refused before anything is written once the server has told", async () => {
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

  it("shares one connection with those of the same time, which is closed after", async () => {
    const store = page.open();
    await Promise.all(Array.from({ length: 20 }, (_, n) => store.store(`k${n}`, n)));
    expect(page.nats.dials).toBe(1);
    await page.nats.closed();
  });

  it("has one id for ever, another than every other write", async () => {
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
  it("says whether the key existed, and is published either way", async () => {
    const store = page.open();
    await store.store("k", 1);
    expect(await store.delete("k")).toBe(true);
    expect(await store.delete("k")).toBe(false);
    expect(page.nats.of("k").map(({ operation }) => operation)).toEqual(["store", "delete", "delete"]);
    await store.flush();
    expect(await allRows(openDatabase(DATABASE))).toEqual({});
  });
});
