import { describe, expect, it, vi } from "vitest";
import type { Row } from "../model/row.ts";
import { allOutbox, openDatabase, putOutbox, putRows } from "../testing/indexeddb.ts";
import { entryRow, sha256Of, tombstone } from "../testing/rows.ts";
import { DATABASE, elapse, listen, stopTime, turns, until, usePage } from "../testing/stores.ts";
import type { OutboxWrite, WriteState } from "../storage/outbox/outbox-table.ts";
import type { Notice } from "../tabs/channel.ts";

const page = usePage();
const ALIVE = `${DATABASE}/alive/`;

/** Leaves writes in the database as another tab does. */
async function leave(instanceId: string, state: WriteState, rows: Record<string, Row | undefined>): Promise<void> {
  const database = openDatabase(DATABASE);
  const entries = Object.entries(rows).filter((pair): pair is [string, Row] => pair[1] !== undefined);
  await putRows(database, Object.fromEntries(entries));
  const writes = Object.entries(rows).map(([key, row], index): OutboxWrite => ({
    sequence: row?.writeId[0] === instanceId ? row.writeId[1] : index + 1,
    key,
    version: row?.version ?? 1,
    operation: row !== undefined && "deletedAt" in row ? "delete" : "store",
  }));
  await putOutbox(database, instanceId, { state, writes, attempts: 0 });
  database.release();
}

const outbox = async (): Promise<string[]> => {
  const database = openDatabase(DATABASE);
  const records = await allOutbox(database);
  database.release();
  return records.flatMap(([[instanceId], { state, writes }]) =>
    writes.map(({ key, version }) => `${instanceId} ${state} ${key}@${version}`),
  );
};

const json = (payload: string, writeId: readonly [string, number], given: object = {}): Row =>
  entryRow({ payload, checksum: sha256Of(payload), writeId, ...given });

describe("a drain", () => {
  it.each<WriteState>(["sending", "queued"])("publishes what a dead tab left %s, under the ids it had", async (state) => {
    await leave("dead", state, { a: json("1", ["dead", 1]), b: json("2", ["dead", 2], { version: 3 }), c: tombstone(4, ["dead", 3]) });
    const store = page.open();
    const events = listen(store);
    await until(async () => (await outbox()).length === 0);
    expect(page.nats.log).toEqual(["a@1", "b@3", "c@4"]);
    expect(page.nats.arrived.map(({ id }) => id)).toEqual(["dead-1", "dead-2", "dead-3"]);
    expect(events.filter(({ type }) => type === "published")).toHaveLength(3);
    expect(await store.listKeys()).toEqual(["a", "b"]);
  });

  it("leaves alone what a living tab is sending, until that dies", async () => {
    const die = await page.locks.take(`${ALIVE}other`);
    await leave("other", "sending", { a: json("1", ["other", 1]) });
    const store = page.open();
    expect(await store.flush()).toEqual({ published: 0, pending: 1, rejected: 0 });
    expect(page.nats.log).toEqual([]);
    die();
    await until(() => page.nats.log.length > 0);
    expect(page.nats.log).toEqual(["a@1"]);
  });

  it("takes what a living tab has queued", async () => {
    await page.locks.take(`${ALIVE}other`);
    await leave("other", "queued", { a: json("1", ["other", 1]) });
    page.open();
    await until(() => page.nats.log.length > 0);
    expect(page.nats.log).toEqual(["a@1"]);
  });

  it("leaves refused writes to the caller", async () => {
    await leave("dead", "rejected", { a: json("1", ["dead", 1]) });
    const store = page.open();
    expect(await store.flush()).toEqual({ published: 0, pending: 0, rejected: 1 });
    expect(page.nats.log).toEqual([]);
  });

  it("drops what a newer version has superseded, and what is gone", async () => {
    await leave("dead", "queued", { a: json("2", ["newer", 7], { version: 2 }), gone: undefined, b: json("1", ["dead", 3]) });
    const store = page.open();
    expect(await store.flush()).toMatchObject({ pending: 0 });
    await until(async () => (await outbox()).length === 0);
    expect(page.nats.log).toEqual(["b@1"]);
  });

  it.each<[string, Row]>([
    ["a payload that is damaged", json("1", ["dead", 1], { checksum: sha256Of("2") })],
    ["a time that is none", json("1", ["dead", 1], { updatedAt: Number.NaN })],
    ["a size that is wrong", json("1", ["dead", 1], { size: 5 })],
  ])("is not held up by %s, which is told to nobody", async (_, row) => {
    await leave("dead", "queued", { a: row });
    await leave("dead2", "queued", { b: json("2", ["dead2", 1]) });
    page.open();
    await until(() => page.nats.log.length > 0);
    await turns();
    expect(page.nats.log).toEqual(["b@1"]);
  });

  it("is done by one tab at a time", async () => {
    await leave(
      "dead",
      "queued",
      Object.fromEntries(Array.from({ length: 20 }, (_, sequence) => [`k${sequence}`, json("1", ["dead", sequence + 1])])),
    );
    const stores = [page.open(), page.open(), page.open()];
    await Promise.all(stores.map((store) => store.flush()));
    expect(page.nats.arrived).toHaveLength(20);
  });

  it("does not send again what this store has just sent, though that is not written down yet", async () => {
    const store = page.open();
    await store.flush();
    stopTime();
    const letGo = await page.locks.take(`${DATABASE}/drain`);
    const flushing = store.flush();
    await turns();
    expect(await store.store("a", 1)).toBe(true);
    letGo();
    await flushing;
    expect(page.nats.log).toEqual(["a@1"]);
  });

  it("publishes many more than one batch holds", async () => {
    for (let part = 0; part < 3; part++) {
      await leave(
        `dead${part}`,
        "queued",
        Object.fromEntries(Array.from({ length: 250 }, (_, sequence) => [`${part}/${sequence}`, json("1", [`dead${part}`, sequence + 1])])),
      );
    }
    const store = page.open();
    await store.flush();
    await until(() => page.nats.arrived.length >= 750);
    expect(new Set(page.nats.log).size).toBe(750);
    expect(await store.pendingWrites()).toEqual([]);
  });

  it("whose turn is long in coming is made up for", async () => {
    stopTime();
    vi.spyOn(Math, "random").mockReturnValue(1);
    const letGo = await page.locks.take(`${DATABASE}/drain`);
    await leave("dead", "queued", { a: json("1", ["dead", 1]) });
    page.open({ timeoutMs: 1_000 });
    await elapse(3_000);
    letGo();
    await elapse(60_000, 500);
    expect(page.nats.log).toEqual(["a@1"]);
  });
});

describe("a key that another tab has an unconfirmed write of", () => {
  it("is not published by this one before that is settled, so that the newest is the last one out", async () => {
    const done = await page.locks.take(`${ALIVE}other`);
    await leave("other", "sending", { a: json("1", ["other", 1]) });
    const store = page.open({ timeoutMs: 200 });
    const writing = store.store("a", "newer");
    await until(async () => (await outbox()).some((record) => record.includes("a@2")));
    await turns(300);
    expect(page.nats.log).toEqual([]);
    expect(await writing).toBe(false);
    // The other tab's message leaves now, and it says so.
    const database = openDatabase(DATABASE);
    await database.run(["outbox"], "readwrite", (transaction) => void transaction.objectStore("outbox").delete(["other", 1]));
    database.release();
    done();
    await until(() => page.nats.log.length > 0);
    expect(page.nats.log).toEqual(["a@2"]);
  });

  it("does not hold up other keys", async () => {
    await page.locks.take(`${ALIVE}other`);
    await leave("other", "sending", { a: json("1", ["other", 1]) });
    expect(await page.open().store("b", 1)).toBe(true);
  });

  it("is published by this one when the other tab has died, and its older write is dropped", async () => {
    await leave("dead", "sending", { a: json("1", ["dead", 1]) });
    const store = page.open();
    page.nats.hold();
    const writing = store.store("a", "newer");
    page.nats.answer();
    expect(await writing).toBe(true);
    expect(page.nats.log.at(-1)).toBe("a@2");
    await until(async () => (await outbox()).length === 0);
  });
});

describe("a write that waits its turn", () => {
  it("resolves as the newer one does that takes it along", async () => {
    const letGo = await page.locks.take(`${DATABASE}/drain`);
    await leave("dead", "queued", { a: json("1", ["dead", 1]) });
    const store = page.open();
    const writing = Promise.all([store.store("a", 2), store.store("a", 3)]);
    await until(async () => (await outbox()).some((record) => record.includes("a@3")));
    const newest = store.store("a", 4);
    await until(async () => (await outbox()).some((record) => record.includes("a@4")));
    letGo();
    expect([...(await writing), await newest]).toEqual([true, true, true]);
    expect(page.nats.log).toEqual(["a@4"]);
    expect(await store.pendingWrites()).toEqual([]);
  });

  it("is not confirmed by another tab's attempt in vain", async () => {
    stopTime();
    await page.locks.take(`${ALIVE}other`);
    await page.locks.take(`${DATABASE}/drain`);
    await leave("other", "queued", { a: json("1", ["other", 1]) });
    const store = page.open({ timeoutMs: 50 });
    const writing = store.store("a", 2);
    await until(async () => (await outbox()).some((record) => record.includes("a@2")));
    const other = new BroadcastChannel(DATABASE);
    other.postMessage({ type: "settled", keys: ["a"], versions: [2], confirmed: false } satisfies Notice);
    await turns(200);
    other.close();
    await elapse(100);
    expect(await writing).toBe(false);
  });

  it("resolves false as soon as this tab's attempt to publish the outbox has failed", async () => {
    stopTime();
    await page.locks.take(`${ALIVE}other`);
    await leave("other", "queued", { a: json("1", ["other", 1]) });
    page.nats.dialling = "hangs";
    const writing = page.open().store("a", 2);
    await until(async () => (await outbox()).some((record) => record.includes("a@2")));
    await turns(200);
    page.nats.cut();
    expect(await writing).toBe(false);
  });

  it("is false when nothing is known in time", async () => {
    await page.locks.take(`${ALIVE}other`);
    await page.locks.take(`${DATABASE}/drain`);
    await leave("other", "queued", { a: json("1", ["other", 1]) });
    const store = page.open({ timeoutMs: 50 });
    expect(await store.store("a", 2)).toBe(false);
    expect(await store.pendingWrites()).toMatchObject([{ key: "a", version: 2 }]);
  });
});
