import { describe, expect, it, vi } from "vitest";
import type { PublishResult } from "../network/transport.ts";
import { commitOne, newCommitter } from "../testing/committer.ts";
import { storeDraft } from "../testing/drafts.ts";
import { change, rowOf } from "../testing/entries.ts";
import { codeOf } from "../testing/errors.ts";
import { useFreshIndexedDB } from "../testing/indexeddb.ts";
import { leaveWrites, setUpPublishing } from "../testing/publishing.ts";

useFreshIndexedDB();

const LOST: PublishResult = { status: "unknown", error: new Error("lost") };
const REJECTED: PublishResult = { status: "rejected", error: new Error("no") };
const REFUSED = new Error("refused");

describe("A committed write", () => {
  it("is published at once, and is not pending once it is confirmed", async () => {
    const { committer, commitPublisher, transport, publishing } = setUpPublishing();
    const commit = await commitOne(committer, storeDraft("k"));
    expect(await commitPublisher.outcome(commit)).toBe(true);
    expect(transport.ids).toEqual([["me-1"]]);
    expect(await publishing.outbox.count()).toEqual({ pending: 0, rejected: 0 });
  });

  it("is not published when the attempt to connect has failed during its commit, and is tried later", async () => {
    const { clock, committer, commitPublisher, outbox, reachability, transport } = setUpPublishing({ inBackground: true });
    // Asked in the transaction. Then the attempt fails.
    vi.spyOn(commitPublisher, "mayPublish", "get").mockImplementationOnce(() => {
      reachability.unreachable(REFUSED);
      return true;
    });
    const commit = await commitOne(committer, storeDraft("k"));
    expect(commit.state).toBe("sending");
    expect(await commitPublisher.outcome(commit)).toBe(false);
    expect(transport.batches).toEqual([]);
    await committer.settled();
    expect(await outbox()).toEqual(["me queued k"]);
    const tried = transport.called(1);
    await clock.advance(500);
    await tried;
    expect(transport.ids).toEqual([["me-1"]]);
  });

  it("is queued and opens no connection while the store is offline", async () => {
    const { committer, commitPublisher, reachability, transport } = setUpPublishing();
    reachability.unreachable(REFUSED);
    const release = commitPublisher.connectAhead();
    expect(transport.uses).toBe(0);
    release();
    const commit = await commitOne(committer, storeDraft("k"));
    expect(commit.state).toBe("queued");
    expect(await commitPublisher.outcome(commit)).toBe(false);
    expect(transport.batches).toEqual([]);
  });

  it("resolves false only after the `offline` event was dispatched", async () => {
    const { committer, commitPublisher, emit, transport } = setUpPublishing();
    transport.failure = { kind: "broken", error: REFUSED };
    const commit = await commitOne(committer, storeDraft("k"));
    expect(await commitPublisher.outcome(commit)).toBe(false);
    expect(emit.mock.calls).toEqual([["offline", { error: REFUSED, pending: 1 }]]);
  });

  it("is announced to other tabs once the outbox has its result, confirmed writes apart from others", async () => {
    const { committer, commitPublisher, onSettled, outbox, transport } = setUpPublishing();
    const results: Record<string, PublishResult> = { "me-1": { status: "confirmed" }, "me-2": LOST, "me-3": REJECTED };
    transport.answer = ({ id }) => results[id] as PublishResult;
    const commits = await committer.commit(["a", "b", "c"].map((key) => storeDraft(key)));
    await Promise.allSettled(commits.map((commit) => commitPublisher.outcome(commit)));
    await committer.settled();
    expect(await outbox()).toEqual(["me queued b", "me rejected c"]);
    expect(onSettled.mock.calls).toEqual([
      [{ writes: [{ key: "a", version: 1 }], confirmed: true }],
      [
        {
          writes: [
            { key: "b", version: 1 },
            { key: "c", version: 1 },
          ],
          confirmed: false,
        },
      ],
    ]);
  });

  it("rejects PUBLISH_REJECTED when the server refuses its message", async () => {
    const { committer, commitPublisher, transport } = setUpPublishing();
    transport.answer = () => REJECTED;
    const commit = await commitOne(committer, storeDraft("k"));
    expect(await codeOf(() => commitPublisher.outcome(commit))).toBe("PUBLISH_REJECTED");
  });

  it("is not counted by the `online` event when it is the write that the server has answered", async () => {
    const { clock, committer, commitPublisher, emit, reachability } = setUpPublishing();
    reachability.unreachable(REFUSED);
    await reachability.reported;
    await clock.advance(500);
    emit.mockClear();
    const online = new Promise((resolve) => {
      emit.mockImplementation((type, detail) => {
        if (type === "online") resolve(detail);
      });
    });
    const commit = await commitOne(committer, storeDraft("k"));
    expect(await commitPublisher.outcome(commit)).toBe(true);
    await clock.advance(0);
    expect(await online).toEqual({ pending: 0 });
  });
});

describe("A write that waits for another tab's write of its key", () => {
  /** A write of the key that another tab is sending, and this store's call. */
  async function setUpWaiting() {
    const all = setUpPublishing({ inBackground: true });
    all.living.add("other");
    await leaveWrites("other", "sending", 1);
    const commit = await commitOne(all.committer, storeDraft("other1"));
    expect(commit).toMatchObject({ state: "queued" });
    return { ...all, commit, outcome: all.commitPublisher.outcome(commit) };
  }

  it("resolves true when the other tab has published its version", async () => {
    const { settledElsewhere, outcome } = await setUpWaiting();
    settledElsewhere({ writes: [{ key: "other1", version: 1 }], confirmed: true });
    settledElsewhere({ writes: [{ key: "other1", version: 2 }], confirmed: true });
    expect(await outcome).toBe(true);
  });

  it("does not take a late message about a write before a delete of the key for its own confirmation", async () => {
    const all = setUpPublishing({ inBackground: true });
    await change(all.database, new Map([["other1", rowOf("other1", { version: 5 })]]));
    await change(all.database, new Map([["other1", undefined]]));
    all.living.add("other");
    await commitOne(newCommitter(all.database, { instanceId: "other" }), storeDraft("other1"));
    const commit = await commitOne(all.committer, storeDraft("other1"));
    expect(commit).toMatchObject({ state: "queued", row: { version: 7 } });
    const outcome = all.commitPublisher.outcome(commit);
    all.settledElsewhere({ writes: [{ key: "other1", version: 5 }], confirmed: true });
    await all.clock.advance(2_000);
    expect(await outcome).toBe(false);
  });

  it("is published when the other tab has settled its own write", async () => {
    const { commit, database, settledElsewhere, outcome, transport } = await setUpWaiting();
    await database.run(["outbox"], "readwrite", (transaction) => void transaction.objectStore("outbox").delete(["other", 1]));
    settledElsewhere({ writes: [{ key: "unrelated", version: 1 }], confirmed: false });
    expect(await outcome).toBe(true);
    expect(transport.ids).toEqual([[commit.row.writeId.join("-")]]);
  });

  it("makes the store read the outbox at each result of another tab, until it is published", async () => {
    const { database, relay, settledElsewhere, outcome } = await setUpWaiting();
    const kick = vi.spyOn(relay, "kick");
    settledElsewhere({ writes: [{ key: "other1", version: 1 }], confirmed: true });
    expect(kick).toHaveBeenCalledTimes(1);
    await database.run(["outbox"], "readwrite", (transaction) => void transaction.objectStore("outbox").delete(["other", 1]));
    settledElsewhere({ writes: [{ key: "other1", version: 2 }], confirmed: true });
    expect(await outcome).toBe(true);
    await relay.flush();
    kick.mockClear();
    settledElsewhere({ writes: [{ key: "other1", version: 3 }], confirmed: true });
    expect(kick).not.toHaveBeenCalled();
  });

  it("resolves false at its time limit when the attempt of the other tab has failed", async () => {
    const { clock, settledElsewhere, outcome, outbox } = await setUpWaiting();
    settledElsewhere({ writes: [{ key: "other1", version: 2 }], confirmed: false });
    await clock.advance(2_000);
    expect(await outcome).toBe(false);
    expect(await outbox()).toContain("me queued other1");
  });

  it("rejects PUBLISH_REJECTED when the server refused it before the connection was lost", async () => {
    const { database, outcome, reachability, relay, transport } = await setUpWaiting();
    await database.run(["outbox"], "readwrite", (transaction) => void transaction.objectStore("outbox").delete(["other", 1]));
    transport.publish = async () => {
      reachability.broken(REFUSED);
      return [REJECTED];
    };
    relay.kick();
    expect(await codeOf(() => outcome)).toBe("PUBLISH_REJECTED");
  });

  it("resolves false as soon as an attempt of this tab has failed", async () => {
    const { outcome, reachability } = await setUpWaiting();
    reachability.broken(REFUSED);
    expect(await outcome).toBe(false);
  });
});
