import { describe, expect, it } from "vitest";
import type { Row } from "../model/row.ts";
import type { PublishingPorts } from "../runtime/publishing.ts";
import { commitOne } from "../testing/committer.ts";
import { storeDraft } from "../testing/drafts.ts";
import { deferred } from "../testing/fake-connection.ts";
import { codeOf } from "../testing/errors.ts";
import { allOutbox, loseStorage, openDatabase, putOutbox, putRows } from "../testing/indexeddb.ts";
import { leaveWrites, setUpPublishing } from "../testing/publishing.ts";
import { entryRow, sha256Of, tombstone } from "../testing/rows.ts";
import { DATABASE, listen, usePage } from "../testing/stores.ts";
import type { OutboxWrite, WriteState } from "../storage/outbox/outbox-record.ts";

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

const manyRows = (instanceId: string, count: number): Record<string, Row> =>
  Object.fromEntries(Array.from({ length: count }, (_, n) => [`${instanceId}/${n}`, json("1", [instanceId, n + 1])]));

describe("A store that opens", () => {
  it.each<WriteState>(["sending", "queued"])("publishes the writes that a dead tab has left as %s, under their ids", async (state) => {
    await leave("dead", state, { a: json("1", ["dead", 1]), b: json("2", ["dead", 2], { version: 3 }), c: tombstone(4, ["dead", 3]) });
    const store = page.open();
    const events = listen(store);
    await page.nats.received(3);
    await store.flush();
    expect(await outbox()).toEqual([]);
    expect(page.nats.log).toEqual(["a@1", "b@3", "c@4"]);
    expect(page.nats.arrived.map(({ id }) => id)).toEqual(["dead-1", "dead-2", "dead-3"]);
    expect(events.filter(({ type }) => type === "published")).toHaveLength(3);
    expect(await store.listKeys()).toEqual(["a", "b"]);
  });

  it("leaves alone the writes that a living tab is sending, until that tab dies", async () => {
    const die = await page.locks.take(`${ALIVE}other`);
    await leave("other", "sending", { a: json("1", ["other", 1]) });
    const store = page.open();
    expect(await store.flush()).toEqual({ published: 0, pending: 1, rejected: 0 });
    expect(page.nats.log).toEqual([]);
    die();
    await page.nats.received(1);
    expect(page.nats.log).toEqual(["a@1"]);
  });

  it("publishes the writes that a living tab has queued", async () => {
    await page.locks.take(`${ALIVE}other`);
    await leave("other", "queued", { a: json("1", ["other", 1]) });
    page.open();
    await page.nats.received(1);
    expect(page.nats.log).toEqual(["a@1"]);
  });

  it("does not publish rejected writes", async () => {
    await leave("dead", "rejected", { a: json("1", ["dead", 1]) });
    const store = page.open();
    expect(await store.flush()).toEqual({ published: 0, pending: 0, rejected: 1 });
    expect(page.nats.log).toEqual([]);
  });

  it("drops the writes whose key has a newer version, or no row", async () => {
    await leave("dead", "queued", { a: json("2", ["newer", 7], { version: 2 }), gone: undefined, b: json("1", ["dead", 3]) });
    const store = page.open();
    expect(await store.flush()).toMatchObject({ pending: 0 });
    await store.close();
    expect(await outbox()).toEqual([]);
    expect(page.nats.log).toEqual(["b@1"]);
  });

  it.each<[string, Row]>([
    ["a payload that is damaged", json("1", ["dead", 1], { checksum: sha256Of("2") })],
    ["an invalid time", json("1", ["dead", 1], { updatedAt: Number.NaN })],
    ["a wrong size", json("1", ["dead", 1], { size: 5 })],
  ])("does not publish a row with %s, and publishes the others", async (_, row) => {
    await leave("dead", "queued", { a: row });
    await leave("dead2", "queued", { b: json("2", ["dead2", 1]) });
    await page.open().flush();
    expect(page.nats.log).toEqual(["b@1"]);
  });

  it("publishes many more writes than one batch holds", async () => {
    for (let part = 0; part < 3; part++) await leave(`dead${part}`, "queued", manyRows(`dead${part}`, 250));
    const store = page.open();
    await store.flush();
    await page.nats.received(750);
    expect(new Set(page.nats.log).size).toBe(750);
    expect(await store.pendingWrites()).toEqual([]);
  });

  it("publishes no write twice when other tabs open at the same time", async () => {
    await leave("dead", "queued", manyRows("dead", 20));
    const stores = [page.open(), page.open(), page.open()];
    await Promise.all(stores.map((store) => store.flush()));
    expect(page.nats.arrived).toHaveLength(20);
  });

  it("publishes the outbox later when another tab holds the drain lock for too long", async () => {
    let hasTurn = false;
    const { clock, relay, transport } = setUpPublishing({
      inBackground: true,
      alone: async (work) => (hasTurn && (await work()), hasTurn),
    });
    await leaveWrites("dead", "queued", 1);
    await relay.drain();
    hasTurn = true;
    await clock.advance(60_000);
    await transport.called(1);
    expect(transport.ids).toEqual([["dead-1"]]);
  });
});

describe("A write of a key that has an unconfirmed write of another tab", () => {
  it("is published only after that write is settled, so that the newest version is sent last", async () => {
    const { clock, committer, commitPublisher, database, living, relay, transport } = setUpPublishing({ inBackground: true });
    living.add("other");
    await leaveWrites("other", "sending", 1);
    const commit = await commitOne(committer, storeDraft("other1"));
    await relay.drain();
    await clock.advance(2_000);
    expect(await commitPublisher.outcome(commit)).toBe(false);
    expect(transport.batches).toEqual([]);
    // The other tab's message leaves now, and the tab dies.
    await database.run(["outbox"], "readwrite", (transaction) => void transaction.objectStore("outbox").delete(["other", 1]));
    living.delete("other");
    relay.kick();
    await transport.called(1);
    expect(transport.ids).toEqual([[commit.row.writeId.join("-")]]);
  });

  it("does not delay the writes of other keys", async () => {
    await page.locks.take(`${ALIVE}other`);
    await leave("other", "sending", { a: json("1", ["other", 1]) });
    expect(await page.open().store("b", 1)).toBe(true);
  });

  it("is published by this tab when the other tab has died, and its older write is dropped", async () => {
    await leave("dead", "sending", { a: json("1", ["dead", 1]) });
    const store = page.open();
    page.nats.hold();
    const writing = store.store("a", "newer");
    page.nats.answer();
    expect(await writing).toBe(true);
    expect(page.nats.log.at(-1)).toBe("a@2");
    await store.close();
    expect(await outbox()).toEqual([]);
  });
});

describe("While another tab drains the outbox", () => {
  /** A store whose drain gets its turn when `release` is called. */
  function setUpHeld() {
    const turn = deferred<void>();
    const alone = async (work: () => Promise<void>): Promise<boolean> => {
      await turn.promise;
      await work();
      return true;
    };
    return { ...setUpPublishing({ inBackground: true, alone }), release: () => turn.resolve() };
  }

  it("a closing store does not wait for its turn", async () => {
    const waits = deferred<void>();
    const alone: PublishingPorts["alone"] = (_, signal) =>
      new Promise((resolve) => {
        signal?.addEventListener("abort", () => resolve(false));
        waits.resolve();
      });
    const { publishing, relay } = setUpPublishing({ inBackground: true, alone });
    relay.kick();
    await waits.promise;
    await expect(publishing.stop()).resolves.toBeUndefined();
  });

  it("a flush that has its turn lasts as long as it publishes, though that takes longer than timeoutMs", async () => {
    const { clock, relay, transport } = setUpPublishing();
    await leaveWrites("dead", "queued", 1);
    const server = deferred<void>();
    const { publish } = transport;
    transport.publish = async (...given) => {
      await server.promise;
      return publish.apply(transport, given);
    };
    const flushing = relay.flush();
    await clock.advance(3_000);
    server.resolve();
    expect(await flushing).toEqual({ published: 1, failed: false });
  });

  it("a write that was confirmed meanwhile is not published again, though the outbox still has it", async () => {
    const { committer, commitPublisher, relay, transport, release } = setUpHeld();
    const flushing = relay.flush();
    const commit = await commitOne(committer, storeDraft("a"));
    expect(await commitPublisher.outcome(commit)).toBe(true);
    release();
    await flushing;
    expect(transport.ids).toEqual([["me-1"]]);
  });

  it("a queued write resolves like a newer write of its key, and only the newest is published", async () => {
    const { committer, commitPublisher, outbox: readOutbox, transport, release } = setUpHeld();
    await leaveWrites("dead", "queued", 1);
    const commits = await Promise.all([commitOne(committer, storeDraft("dead1")), commitOne(committer, storeDraft("dead1"))]);
    const newest = await commitOne(committer, storeDraft("dead1"));
    release();
    const outcomes = [...commits, newest].map((commit) => commitPublisher.outcome(commit));
    expect(await Promise.all(outcomes)).toEqual([true, true, true]);
    expect(transport.ids).toEqual([[newest.row.writeId.join("-")]]);
    await committer.settled();
    expect(await readOutbox()).toEqual([]);
  });
});

it("A drain leaves the writes of a tab that opens meanwhile to that tab", async () => {
  const draining = page.open();
  await draining.store("warm", 1);
  await draining.flush();
  const database = openDatabase(DATABASE);
  const names = Array.from({ length: 256 }, (_, n) => `old${n}`);
  await putRows(database, Object.fromEntries(names.map((key, n) => [key, entryRow({ writeId: ["", n + 1] })])));
  await putOutbox(database, "", {
    state: "queued",
    attempts: 0,
    writes: names.map((key, n) => ({ sequence: n + 1, key, version: 1, operation: "store" as const })),
  });
  page.nats.hold();
  const flushing = draining.flush();
  await page.nats.receivedOf("old255");
  const opened = page.open();
  const storing = opened.store("k", 1);
  await page.nats.receivedOf("k");
  page.nats.answer();
  await Promise.all([flushing, storing]);
  await page.drained();
  expect(page.nats.of("k")).toHaveLength(1);
});

describe("A confirmation that could not be recorded", () => {
  it("delays another tab's write of the key only until the next transaction that succeeds", async () => {
    const [one, other] = [page.open(), page.open()];
    await one.store("warm", 1);
    await one.flush();
    page.nats.hold();
    const writing = one.store("k", 1);
    await page.nats.receivedOf("k");
    const find = loseStorage();
    page.nats.answer();
    expect(await writing).toBe(true);
    // Looks at the outbox when what was settled is written, or is known not to be.
    expect(await codeOf(() => one.pendingWrites())).toBe("STORAGE_UNAVAILABLE");
    find();
    await one.store("another", 1);
    expect(await other.store("k", 2)).toBe(true);
  });
});
