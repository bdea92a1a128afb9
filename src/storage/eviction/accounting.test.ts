import { describe, expect, it, vi } from "vitest";
import type { LocalChange } from "../../model/change.ts";
import { Evictor, type EvictorOptions } from "./evictor.ts";

describe("The eviction accounting", () => {
  function setUp() {
    // Without limits, nothing is ever evicted.
    const evictor = new Evictor({ maxEntries: Infinity, maxBytes: Infinity } as unknown as EvictorOptions);
    const count = { grew: vi.spyOn(evictor, "grew"), forgetCount: vi.spyOn(evictor, "forgetCount") };
    return { count, receive: (changes: readonly LocalChange[]) => evictor.apply(changes) };
  }
  const write = { source: "local", type: "delete", version: 1 } as const;

  it("adds up the growth of this store's writes", () => {
    const { count, receive } = setUp();
    receive([
      { ...write, key: "a", grew: { entries: 1, bytes: 10 } },
      { ...write, key: "b", grew: { entries: -1, bytes: -3 } },
    ]);
    expect(count.grew).toHaveBeenCalledExactlyOnceWith({ entries: 0, bytes: 7 });
    expect(count.forgetCount).not.toHaveBeenCalled();
  });

  it("measures the database again after a clear", () => {
    const { count, receive } = setUp();
    receive([{ source: "local", type: "clear" }]);
    expect(count.forgetCount).toHaveBeenCalledTimes(1);
    expect(count.grew).not.toHaveBeenCalled();
  });
});
