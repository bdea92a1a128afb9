import { describe, expect, it, vi } from "vitest";
import type { Committer } from "../storage/commit/committer.ts";
import type { Commit } from "../storage/commit/draft.ts";
import { storeDraft } from "../testing/drafts.ts";
import { caught } from "../testing/errors.ts";
import { FakeClock } from "../testing/fake-clock.ts";
import { deferred } from "../testing/fake-connection.ts";
import { event, usePage } from "../testing/stores.ts";
import { KeyQueue } from "./key-queue.ts";
import { Writer } from "./writer.ts";

const page = usePage();

describe("A signal", () => {
  const reason = new RangeError("enough");

  it("that is aborted before the call rejects it with the reason, and nothing happens", async () => {
    const store = page.open();
    const signal = AbortSignal.abort(reason);
    for (const call of [
      () => store.store("k", 1, { signal }),
      () => store.update("k", 1, { signal }),
      () => store.delete("k", { signal }),
      () => store.bulkStore({ k: 1 }, { signal }),
      () => store.retrieve("k", { signal }),
      () => store.bulkRetrieve(["k"], { signal }),
      () => store.flush({ signal }),
    ]) {
      expect(await caught(call)).toBe(reason);
    }
    expect(await store.exists("k")).toBe(false);
    expect(page.nats.log).toEqual([]);
  });

  it("that is aborted before the commit rejects the call with the reason, and nothing is committed", async () => {
    const store = page.open();
    const controller = new AbortController();
    const writing = store.store("k", 1, { signal: controller.signal });
    controller.abort(reason);
    expect(await caught(() => writing)).toBe(reason);
    expect(await store.exists("k")).toBe(false);
  });

  it("that is aborted after the commit makes the call resolve false, and the write is published all the same", async () => {
    page.nats.hold();
    const store = page.open();
    const controller = new AbortController();
    const writing = store.store("k", 1, { signal: controller.signal });
    await page.nats.received(1);
    controller.abort(reason);
    expect(await writing).toBe(false);
    const published = event(store, "published");
    page.nats.answer();
    expect(await published).toMatchObject({ key: "k", version: 1 });
    expect(await store.pendingWrites()).toEqual([]);
  });
});

it("A writer whose signal is aborted during the wait for the server resolves false only after the commit is durable", async () => {
  const commit = { draft: storeDraft("k") } as Commit;
  const waiting = deferred<void>();
  const flushed = deferred<void>();
  const clock = new FakeClock();
  const durable = vi.fn<Committer["durable"]>(() => flushed.promise);
  const release = vi.fn<() => void>();
  const writer = new Writer({
    drafts: { prepareStore: async () => ({ weight: 1, finish: async () => commit.draft }), delete: () => commit.draft },
    queue: new KeyQueue(),
    committer: { commit: async () => [commit], durable },
    publisher: { outcome: () => (waiting.resolve(), new Promise(() => undefined)) },
    connectAhead: () => release,
    isDurable: false,
    toStream: () => Promise.reject(new Error("not durable")),
    formatOf: async () => undefined,
    orderWrite: () => (draft) => draft,
  });
  const controller = new AbortController();
  const resolved = vi.fn<() => void>();
  const writing = writer.store("k", () => '"value"', { signal: controller.signal });
  void writing.then(resolved);
  await waiting.promise;
  expect(durable).not.toHaveBeenCalled();
  controller.abort();
  await clock.advance(0);
  expect(durable).toHaveBeenCalledWith(commit);
  expect({ resolved: resolved.mock.calls.length, released: release.mock.calls.length }).toEqual({ resolved: 0, released: 0 });
  flushed.resolve();
  expect(await writing).toBe(false);
  expect(release).toHaveBeenCalledTimes(1);
});
