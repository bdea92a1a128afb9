import { beforeEach, describe, expect, it, vi } from "vitest";
import { Dispatcher, type DispatcherOptions } from "./dispatcher.ts";
import type { EntryRow } from "../model/row.ts";
import { KeyStoreError } from "../util/errors.ts";
import { lazy } from "../values/lazy.ts";
import type { Batch, Relay } from "./relay.ts";
import type { Delivery } from "../network/publisher.ts";
import type { WriteState } from "../storage/outbox/outbox-table.ts";
import { newCommitter } from "../testing/committer.ts";
import { storeDraft } from "../testing/drafts.ts";
import { FakeLocks } from "../testing/fake-locks.ts";
import { allOutbox, openDatabase, putOutbox, putRows, useFreshIndexedDB } from "../testing/indexeddb.ts";
import { entryRow, sha256Of } from "../testing/rows.ts";

useFreshIndexedDB();
beforeEach(() => void vi.stubGlobal("navigator", { locks: new FakeLocks() }));

/** A dispatcher, with a relay that only counts, and other stores that live. */
function setUp(given: Partial<DispatcherOptions> = {}) {
  const database = openDatabase();
  const living = new Set(["me"]);
  let isOffline = false;
  const relay = {
    get isOffline() {
      return isOffline;
    },
    set isOffline(is) {
      isOffline = is;
    },
    kick: vi.fn<() => void>(),
    retryLater: vi.fn<() => void>(),
    reported: Promise.resolve(),
  };
  const options: DispatcherOptions = {
    namespace: "test",
    instanceId: "me",
    timeoutMs: 50,
    drainLock: "drain",
    livingInstances: async () => new Set(living),
    emit: vi.fn<DispatcherOptions["emit"]>(),
    publish: async (messages) => messages.map(() => ({ status: "confirmed" })),
    onSettled: () => undefined,
    onGivenUp: () => undefined,
    ...given,
  };
  const committer = newCommitter(database, {
    mayPublish: () => !relay.isOffline,
    onCommitted: (commits) => dispatcher.dispatch(commits),
  });
  const dispatcher: Dispatcher = new Dispatcher(database, committer, () => relay as unknown as Relay, options);
  /** Drains to a server that does what a test says. @returns the sizes of the batches, and whether nothing is left */
  const drain = async (answer: (batch: number) => Delivery = () => ({ status: "confirmed" })): Promise<[number[], boolean]> => {
    const batches: number[] = [];
    const isComplete = await dispatcher.drain(async ({ messages, settle }: Batch) => {
      batches.push(messages.length);
      const delivery = answer(batches.length);
      settle(messages.map(() => delivery));
      return delivery.status !== "failed";
    });
    return [batches, isComplete];
  };
  const outbox = async (): Promise<string[]> =>
    (await allOutbox(database)).flatMap(([[instanceId], { state, writes }]) => writes.map(({ key }) => `${instanceId} ${state} ${key}`));
  return { database, dispatcher, committer, relay, living, options, drain, outbox };
}

const LOST: Delivery = { status: "failed", error: new Error("lost") };

/** Leaves so many writes of a store in the outbox: in one record, or each in its own. */
async function leave(instanceId: string, state: WriteState, count: number, each = false, given: Partial<EntryRow> = {}): Promise<void> {
  const database = openDatabase();
  const numbers = Array.from({ length: count }, (_, index) => index + 1);
  await putRows(database, Object.fromEntries(numbers.map((n) => [`${instanceId}${n}`, entryRow({ writeId: [instanceId, n], ...given })])));
  const writes = numbers.map((sequence) => ({ sequence, key: `${instanceId}${sequence}`, version: 1, operation: "store" as const }));
  await putOutbox(
    database,
    instanceId,
    ...(each ? writes.map((write) => [write]) : [writes]).map((part) => ({ state, writes: part, attempts: 0 })),
  );
  database.close();
}

describe("one drain", () => {
  it.each([
    ["records of one write", true],
    ["records of many writes", false],
  ])("publishes all of an outbox of %s, however many pages it has", async (_, each) => {
    const { drain, outbox } = setUp();
    for (const instanceId of ["a", "b", "c"]) await leave(instanceId, "queued", 250, each);
    const [batches, isComplete] = await drain();
    expect(batches.reduce((sum, size) => sum + size, 0)).toBe(750);
    expect([isComplete, await outbox()]).toEqual([true, []]);
  });

  it("continues after a page of writes that it must not take", async () => {
    const { drain, outbox } = setUp();
    await leave("a", "rejected", 300, true);
    await leave("b", "queued", 1);
    expect(await drain()).toEqual([[1], true]);
    expect(await outbox()).toHaveLength(300);
  });

  it("ends with the first batch that fails, and reads no further page", async () => {
    const { drain, outbox } = setUp();
    for (const instanceId of ["a", "b"]) await leave(instanceId, "queued", 256);
    expect(await drain(() => LOST)).toEqual([[256], true]);
    expect(await outbox()).toHaveLength(512);
  });

  it("puts at most 1 MB into a batch, except for a single message that is larger", async () => {
    const { drain } = setUp();
    const payload = JSON.stringify("x".repeat(600_000));
    await leave("a", "queued", 3, false, { payload });
    expect(await drain()).toEqual([[1, 1, 1], true]);
    const small = JSON.stringify("x".repeat(300_000));
    await leave("b", "queued", 4, false, { payload: small });
    expect(await drain()).toEqual([[3, 1], true]);
  });
});

describe("a batch", () => {
  it("has a quarter of the writes after each failure, at least one, and twice as many after each success", async () => {
    const { drain } = setUp();
    await leave("a", "queued", 300);
    const sizes: number[] = [];
    for (let failure = 0; failure < 6; failure++) sizes.push(...(await drain(() => LOST))[0]);
    expect(sizes).toEqual([256, 64, 16, 4, 1, 1]);
    expect((await drain())[0].slice(0, 8)).toEqual([1, 2, 4, 8, 16, 32, 64, 128]);
    await leave("b", "queued", 300);
    expect((await drain())[0]).toEqual([256, 44]);
  });
});

describe("a drain that leaves writes behind", () => {
  it("says so when another tab is sending an earlier write of the key, and is repeated once that write is settled", async () => {
    const { database, dispatcher, committer, relay, living, drain } = setUp();
    living.add("other");
    await leave("other", "sending", 1);
    relay.isOffline = true;
    await committer.commit([storeDraft("other1")]);
    relay.isOffline = false;
    expect(await drain()).toEqual([[], false]);

    relay.kick.mockClear();
    dispatcher.onSettledElsewhere({ keys: ["unrelated"], versions: [1], confirmed: false });
    expect(relay.kick).toHaveBeenCalledTimes(1);
    await database.run(["outbox"], "readwrite", (transaction) => void transaction.objectStore("outbox").delete(["other", 1]));
    expect(await drain()).toEqual([[1], true]);

    // Nothing is left waitsFor any more.
    relay.kick.mockClear();
    dispatcher.onSettledElsewhere({ keys: ["unrelated"], versions: [1], confirmed: true });
    expect(relay.kick).not.toHaveBeenCalled();
  });

  it("says so when a payload cannot be checked yet, because a part did not load", async () => {
    const { relay, dispatcher, drain, outbox } = setUp();
    const missing = vi.spyOn(lazy, "compression").mockRejectedValue(new KeyStoreError("STORAGE_UNAVAILABLE", "could not be loaded"));
    const payload = new Uint8Array(20);
    await leave("a", "queued", 1, false, { encoding: "gzip", payload, storedChecksum: sha256Of(payload) });
    await leave("b", "queued", 1);
    expect(await drain()).toEqual([[1], false]);
    expect(await outbox()).toEqual(["a queued a1"]);
    dispatcher.onSettledElsewhere({ keys: ["b1"], versions: [1], confirmed: true });
    expect(relay.kick).toHaveBeenCalledTimes(1);
    missing.mockRestore();
  });

  it("says so when a tab that sends its own writes has opened meanwhile", async () => {
    let asked = 0;
    const { drain, outbox } = setUp({ livingInstances: async () => new Set(asked++ === 0 ? ["me"] : ["me", "new"]) });
    await leave("new", "sending", 2);
    expect(await drain()).toEqual([[], false]);
    expect(await outbox()).toEqual(["new sending new1", "new sending new2"]);
  });

  it("says so when another tab is draining", async () => {
    const { drain, outbox } = setUp();
    await leave("a", "queued", 1);
    const letGo = await (navigator.locks as unknown as FakeLocks).take("drain");
    expect(await drain()).toEqual([[], false]);
    letGo();
    expect(await drain()).toEqual([[1], true]);
    expect(await outbox()).toEqual([]);
  });
});

describe("a damaged write", () => {
  it("is rejected with its event, and holds up no other write", async () => {
    const { drain, outbox, options } = setUp();
    await leave("a", "queued", 1, false, { checksum: sha256Of("other") });
    await leave("b", "queued", 1);
    expect(await drain()).toEqual([[1], true]);
    expect(await outbox()).toEqual(["a rejected a1"]);
    expect(options.emit).toHaveBeenCalledWith("rejected", {
      key: "a1",
      version: 1,
      error: expect.objectContaining({ code: "PUBLISH_REJECTED" }) as Error,
    });
  });
});

describe("a write of this store", () => {
  it("that is committed just before an attempt to connect fails is not sent, and is tried later", async () => {
    const publish = vi.fn<DispatcherOptions["publish"]>();
    const { committer, dispatcher, relay, outbox } = setUp({ publish });
    // Asked as the write is committed, and as it is to be sent.
    let asked = 0;
    vi.spyOn(relay, "isOffline", "get").mockImplementation(() => asked++ > 0);
    const [commit] = await committer.commit([storeDraft("k")]);
    expect(await dispatcher.outcome(commit!)).toBe(false);
    expect([publish.mock.calls, relay.retryLater.mock.calls.length]).toEqual([[], 1]);
    await committer.settled();
    expect(await outbox()).toEqual(["me queued k"]);
  });

  it("that fails resolves false only after the `offline` event was dispatched", async () => {
    const { committer, dispatcher, relay } = setUp({ publish: async (messages) => messages.map(() => LOST) });
    let report = (): void => undefined;
    let isReported = false;
    relay.reported = new Promise((resolve) => (report = resolve));
    const [commit] = await committer.commit([storeDraft("k")]);
    const outcome = dispatcher.outcome(commit!).then((isConfirmed) => [isConfirmed, isReported]);
    await committer.settled();
    isReported = true;
    report();
    expect(await outcome).toEqual([false, true]);
    expect(relay.retryLater).toHaveBeenCalledTimes(1);
  });

  it("is announced once it has left the outbox, confirmed writes apart from others", async () => {
    const onSettled = vi.fn<DispatcherOptions["onSettled"]>();
    const { committer, outbox } = setUp({
      onSettled,
      publish: async (messages) =>
        messages.map(
          (_, index) => [{ status: "confirmed" } as const, LOST, { status: "rejected", error: new Error("no") } as const][index]!,
        ),
    });
    await committer.commit(["a", "b", "c"].map((key) => storeDraft(key)));
    await committer.settled();
    await Promise.resolve();
    expect(await outbox()).toEqual(["me queued b", "me rejected c"]);
    expect(onSettled.mock.calls).toEqual([
      [{ keys: ["a"], versions: [1], confirmed: true }],
      [{ keys: ["b", "c"], versions: [1, 1], confirmed: false }],
    ]);
  });

  it("is not pending any more from its confirmation on", async () => {
    const { committer, dispatcher } = setUp();
    await committer.commit([storeDraft("k")]);
    expect(await dispatcher.pending()).toBe(0);
  });
});

describe("a write that waits for another tab's write of its key", () => {
  it("drains the outbox when that tab settles a write, and resolves true when its own version is confirmed there", async () => {
    const { dispatcher, committer, relay, living } = setUp({ timeoutMs: 60_000 });
    living.add("other");
    await leave("other", "sending", 1);
    const [commit] = await committer.commit([storeDraft("other1")]);
    expect(commit).toMatchObject({ state: "queued" });
    expect(relay.kick).toHaveBeenCalledTimes(1);
    dispatcher.onSettledElsewhere({ keys: ["other1"], versions: [1], confirmed: true });
    expect(relay.kick).toHaveBeenCalledTimes(2);
    dispatcher.onSettledElsewhere({ keys: ["other1"], versions: [2], confirmed: true });
    expect(await dispatcher.outcome(commit!)).toBe(true);
    // Nobody waits any more.
    dispatcher.onSettledElsewhere({ keys: ["other1"], versions: [3], confirmed: true });
    expect(relay.kick).toHaveBeenCalledTimes(2);
  });
});
