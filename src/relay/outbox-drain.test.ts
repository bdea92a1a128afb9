import { describe, expect, it, vi } from "vitest";
import type { Emit } from "../model/events.ts";
import type { PublishResult } from "../network/transport.ts";
import { newCommitter } from "../testing/committer.ts";
import { storeDraft } from "../testing/drafts.ts";
import { openDatabase, useFreshIndexedDB } from "../testing/indexeddb.ts";
import { FakeClock } from "../testing/fake-clock.ts";
import { leaveWrites, outboxOf } from "../testing/publishing.ts";
import { sha256Of } from "../testing/rows.ts";
import { KeyStoreError } from "../util/errors.ts";
import { gzipPart } from "../values/gzip-part.ts";
import { OutboxDrain, type OutboxDrainPorts } from "./outbox-drain.ts";
import { Settler } from "./settler.ts";

useFreshIndexedDB();

const CONFIRMED: PublishResult = { status: "confirmed" };
const LOST: PublishResult = { status: "unknown", error: new Error("lost") };

function setUp(given: Partial<OutboxDrainPorts> = {}) {
  const database = openDatabase();
  const living = new Set(["me"]);
  const committer = newCommitter(database, { mayPublish: () => false });
  const emit = vi.fn<Emit>();
  const settler = new Settler({
    settle: (instanceId, settlements) => committer.settle(instanceId, settlements),
    waiters: { tell: () => undefined },
    emit,
    onSettled: () => undefined,
  });
  const clock = new FakeClock();
  const outboxDrain = new OutboxDrain({
    clock,
    namespace: "test",
    instanceId: "me",
    isDurable: false,
    database,
    committer,
    settler,
    missingKeys: { load: () => undefined },
    stores: () => [],
    alone: async (work) => (await work(), true),
    livingInstances: async () => new Set(living),
    ...given,
  });
  /** Drains to a server that gives every message the same answer. */
  const drain = async (answer: PublishResult = CONFIRMED) => {
    const sizes: number[] = [];
    const drained = await outboxDrain.run(async (messages) => {
      sizes.push(messages.length);
      return messages.map(() => answer);
    });
    return { sizes, ...drained };
  };
  return { clock, database, committer, emit, living, outboxDrain, drain, outbox: () => outboxOf(database) };
}

describe("A drain", () => {
  it.each([
    ["records of one write", true],
    ["records of many writes", false],
  ])("publishes an outbox of several pages of %s", async (_, each) => {
    const { drain, outbox } = setUp();
    for (const instanceId of ["a", "b", "c"]) await leaveWrites(instanceId, "queued", 250, { each });
    expect(await drain()).toMatchObject({ published: 750, failed: false, isComplete: true });
    expect(await outbox()).toEqual([]);
  });

  it("continues after a page of rejected writes", async () => {
    const { drain, outbox } = setUp();
    await leaveWrites("a", "rejected", 300, { each: true });
    await leaveWrites("b", "queued", 1);
    expect(await drain()).toEqual({ sizes: [1], published: 1, failed: false, isComplete: true });
    expect(await outbox()).toHaveLength(300);
  });

  it("ends with the first batch that fails, and reads no further page", async () => {
    const { drain, outbox } = setUp();
    for (const instanceId of ["a", "b"]) await leaveWrites(instanceId, "queued", 256);
    expect(await drain(LOST)).toEqual({ sizes: [256], published: 0, failed: true, isComplete: true });
    expect(await outbox()).toHaveLength(512);
  });

  it("ends when no attempt is to be made now, and leaves the outbox as it is", async () => {
    const { outboxDrain, outbox } = setUp();
    await leaveWrites("a", "queued", 2);
    expect(await outboxDrain.run(async () => undefined)).toEqual({ published: 0, failed: true, isComplete: true });
    expect(await outbox()).toEqual(["a queued a1", "a queued a2"]);
  });

  it("counts the confirmed writes of a batch in which the result of others is unknown", async () => {
    const { outboxDrain, outbox } = setUp();
    await leaveWrites("a", "queued", 2);
    expect(await outboxDrain.run(async () => [CONFIRMED, LOST])).toEqual({ published: 1, failed: true, isComplete: true });
    expect(await outbox()).toEqual(["a queued a2"]);
  });

  it("puts at most 1 MB into a batch, except for a single message that is larger", async () => {
    const { drain } = setUp();
    const large = JSON.stringify("x".repeat(600_000));
    await leaveWrites("a", "queued", 3, { row: { payload: large } });
    expect(await drain()).toMatchObject({ sizes: [1, 1, 1], isComplete: true });
    const small = JSON.stringify("x".repeat(300_000));
    await leaveWrites("b", "queued", 4, { row: { payload: small } });
    expect(await drain()).toMatchObject({ sizes: [3, 1], isComplete: true });
  });

  it("quarters its batches after each failure, down to one write, and doubles them after each success", async () => {
    const { drain } = setUp();
    await leaveWrites("a", "queued", 300);
    const sizes: number[] = [];
    for (let failure = 0; failure < 6; failure++) sizes.push(...(await drain(LOST)).sizes);
    expect(sizes).toEqual([256, 64, 16, 4, 1, 1]);
    expect((await drain()).sizes.slice(0, 8)).toEqual([1, 2, 4, 8, 16, 32, 64, 128]);
    await leaveWrites("b", "queued", 300);
    expect((await drain()).sizes).toEqual([256, 44]);
  });

  it("rejects a damaged write with its event, and publishes the others", async () => {
    const { drain, outbox, emit } = setUp();
    await leaveWrites("a", "queued", 1, { row: { checksum: sha256Of("other") } });
    await leaveWrites("b", "queued", 1);
    expect(await drain()).toMatchObject({ sizes: [1], isComplete: true });
    expect(await outbox()).toEqual(["a rejected a1"]);
    expect(emit).toHaveBeenCalledWith("rejected", {
      key: "a1",
      version: 1,
      error: expect.objectContaining({ code: "PUBLISH_REJECTED" }) as Error,
    });
  });
});

describe("The turn of a drain", () => {
  it("is one page of the outbox, so that other tabs get theirs in between", async () => {
    const turns: number[] = [];
    const { outboxDrain } = setUp({
      alone: async (work) => {
        turns.push(0);
        await work();
        return true;
      },
    });
    for (const instanceId of ["a", "b", "c"]) await leaveWrites(instanceId, "queued", 256);
    await outboxDrain.run(async (messages) => {
      turns[turns.length - 1]! += messages.length;
      return messages.map(() => CONFIRMED);
    });
    expect(turns).toEqual([256, 256, 256, 0]);
  });

  it("sends nothing when its lock was taken over before it began, and the next turn reads the outbox again", async () => {
    let turns = 0;
    const { drain, outbox } = setUp({ alone: async (work) => (await work(++turns === 1 ? AbortSignal.abort() : undefined), true) });
    await leaveWrites("a", "queued", 2);
    expect(await drain()).toEqual({ sizes: [2], published: 2, failed: false, isComplete: true });
    expect(turns).toBe(2);
    expect(await outbox()).toEqual([]);
  });

  it("sends nothing once another tab may have taken over, and the next turn reads the outbox again", async () => {
    const { clock, database, outboxDrain, outbox } = setUp();
    await leaveWrites("a", "queued", 1, { row: { payload: JSON.stringify("x".repeat(600_000)) } });
    await leaveWrites("b", "queued", 1, { row: { payload: JSON.stringify("x".repeat(600_000)) } });
    const sent: (readonly string[])[] = [];
    const limits: number[] = [];
    const drained = await outboxDrain.run(async (messages, until) => {
      sent.push(messages.map(({ id }) => id));
      limits.push(until - clock.monotonic());
      if (sent.length === 1) {
        // The tab is paused, and another one publishes the second write.
        await clock.advance(60_000);
        await database.run(["outbox"], "readwrite", (transaction) => void transaction.objectStore("outbox").delete(["b", 1]));
      }
      return messages.map(() => CONFIRMED);
    });
    expect(sent).toEqual([["a-1"]]);
    expect(limits).toEqual([10_000]);
    expect(drained).toMatchObject({ published: 1, failed: false, isComplete: true });
    expect(await outbox()).toEqual([]);
  });

  it("is waited for only while the store is open", async () => {
    const { outboxDrain } = setUp({ alone: async (_, signal) => signal?.aborted !== true });
    const closing = new AbortController();
    closing.abort();
    expect(await outboxDrain.run(async () => [], { signal: closing.signal })).toMatchObject({ isComplete: false });
  });
});

describe("A drain is incomplete", () => {
  it("while another tab is sending an earlier write of the key", async () => {
    const { database, committer, living, drain, outboxDrain } = setUp();
    living.add("other");
    await leaveWrites("other", "sending", 1);
    await committer.commit([storeDraft("other1")]);
    expect(await drain()).toMatchObject({ sizes: [], isComplete: false });
    expect(outboxDrain.isHeld).toBe(true);
    await database.run(["outbox"], "readwrite", (transaction) => void transaction.objectStore("outbox").delete(["other", 1]));
    expect(await drain()).toMatchObject({ sizes: [1], isComplete: true });
    expect(outboxDrain.isHeld).toBe(false);
  });

  it("when a payload cannot be checked yet, because a part did not load", async () => {
    const { drain, outbox, outboxDrain } = setUp();
    const missing = vi.spyOn(gzipPart, "load").mockRejectedValue(new KeyStoreError("STORAGE_UNAVAILABLE", "could not be loaded"));
    const payload = new Uint8Array(20);
    await leaveWrites("a", "queued", 1, { row: { encoding: "gzip", payload, storedChecksum: sha256Of(payload) } });
    await leaveWrites("b", "queued", 1);
    expect(await drain()).toMatchObject({ sizes: [1], isComplete: false });
    expect(await outbox()).toEqual(["a queued a1"]);
    expect(outboxDrain.isHeld).toBe(true);
    missing.mockRestore();
  });

  it("when a tab that publishes its own writes has opened meanwhile", async () => {
    let asked = 0;
    const { drain, outbox } = setUp({ livingInstances: async () => new Set(asked++ === 0 ? ["me"] : ["me", "new"]) });
    await leaveWrites("new", "sending", 2);
    expect(await drain()).toMatchObject({ sizes: [], isComplete: false });
    expect(await outbox()).toEqual(["new sending new1", "new sending new2"]);
  });

  it("when its turn does not come", async () => {
    let isFree = false;
    const { drain, outbox } = setUp({ alone: async (work) => (isFree && (await work()), isFree) });
    await leaveWrites("a", "queued", 1);
    expect(await drain()).toMatchObject({ sizes: [], isComplete: false });
    isFree = true;
    expect(await drain()).toMatchObject({ sizes: [1], isComplete: true });
    expect(await outbox()).toEqual([]);
  });
});
