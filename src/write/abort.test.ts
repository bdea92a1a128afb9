import { describe, expect, it } from "vitest";
import { caught } from "../testing/errors.ts";
import { event, usePage } from "../testing/stores.ts";

const page = usePage();

describe("a signal", () => {
  const reason = new RangeError("enough");

  it("that is aborted before rejects with its reason, and nothing happens", async () => {
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
    expect([await store.exists("k"), page.nats.log]).toEqual([false, []]);
  });

  it("that is aborted before the commit rejects with its reason, and nothing is committed", async () => {
    const store = page.open();
    const controller = new AbortController();
    const writing = store.store("k", 1, { signal: controller.signal });
    controller.abort(reason);
    expect(await caught(() => writing)).toBe(reason);
    expect(await store.exists("k")).toBe(false);
  });

  it("that is aborted after the commit ends the wait: false, and the write is published all the same", async () => {
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
