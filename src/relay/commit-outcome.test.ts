import { describe, expect, it, vi } from "vitest";
import type { PublishResult } from "../network/transport.ts";
import type { Committer } from "../storage/commit/committer.ts";
import type { Commit } from "../storage/commit/draft.ts";
import { storeDraft } from "../testing/drafts.ts";
import { codeOf } from "../testing/errors.ts";
import { FakeClock } from "../testing/fake-clock.ts";
import { deferred } from "../testing/fake-connection.ts";
import { entryRow } from "../testing/rows.ts";
import { CommitPublisher } from "./commit-publisher.ts";

const CONFIRMED: PublishResult = { status: "confirmed" };
const LOST: PublishResult = { status: "unknown", error: new Error("lost") };
const REJECTED: PublishResult = { status: "rejected", error: new Error("denied") };

/** A publisher of one relaxed commit, whose flush and whose `offline` event the test completes. */
function setUpOutcome(state: "sending" | "queued", result: PublishResult, given: { isOffline?: boolean } = {}) {
  const flushed = deferred<void>();
  const reported = deferred<void>();
  const clock = new FakeClock();
  const durable = vi.fn<Committer["durable"]>(() => flushed.promise);
  const publisher = new CommitPublisher({
    namespace: "test",
    transport: { keepConnected: () => () => undefined, publish: async (messages) => messages.map(() => result) },
    committer: { durable },
    reachability: { isOffline: given.isOffline ?? false, reported: reported.promise },
    relay: { kick: () => undefined, retryLater: () => undefined },
    settler: { settle: () => undefined },
    waiters: { wait: async () => result },
  });
  const draft = storeDraft("k");
  const commit = { draft, row: entryRow({ writeId: ["me", 1] }), state, durability: "relaxed", generation: "g" } as Commit;
  publisher.publish([commit]);
  const settled = vi.fn<() => void>();
  const outcome = publisher.outcome(commit);
  void outcome.then(settled, settled);
  /** Whether the outcome is known once all promises that can settle have settled. */
  const isKnown = async (): Promise<boolean> => {
    await clock.advance(0);
    return settled.mock.calls.length > 0;
  };
  return { outcome, isKnown, durable, flush: flushed.resolve, report: reported.resolve };
}

describe("The outcome of a commit", () => {
  it.each(["sending", "queued"] as const)("is true without a flush when the %s write is confirmed", async (state) => {
    const { outcome, durable } = setUpOutcome(state, CONFIRMED);
    expect(await outcome).toBe(true);
    expect(durable).not.toHaveBeenCalled();
  });

  it.each([
    ["sending", false],
    ["queued", false],
    ["queued", true],
  ] as const)(
    "is false only after the flush and the `offline` event when the %s write is not confirmed (offline: %s)",
    async (state, isOffline) => {
      const { outcome, isKnown, flush, report } = setUpOutcome(state, LOST, { isOffline });
      report();
      expect(await isKnown()).toBe(false);
      flush();
      expect(await outcome).toBe(false);
    },
  );

  it("waits for the `offline` event after the flush", async () => {
    const { outcome, isKnown, flush, report } = setUpOutcome("sending", LOST);
    flush();
    expect(await isKnown()).toBe(false);
    report();
    expect(await outcome).toBe(false);
  });

  it("rejects PUBLISH_REJECTED only after the flush when the server refuses the write", async () => {
    const { outcome, isKnown, flush } = setUpOutcome("sending", REJECTED);
    expect(await isKnown()).toBe(false);
    flush();
    expect(await codeOf(() => outcome)).toBe("PUBLISH_REJECTED");
  });
});
