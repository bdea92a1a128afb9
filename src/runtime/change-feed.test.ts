import { describe, expect, it, vi } from "vitest";
import { ChangeFeed } from "./change-feed.ts";
import { countChanges, type UsageCount } from "./eviction-accounting.ts";

it("the change feed calls its receivers in the order in which they subscribed", () => {
  const feed = new ChangeFeed();
  const calls: string[] = [];
  feed.subscribe(() => void calls.push("first"));
  feed.subscribe(() => void calls.push("second"));
  feed.emit([{ source: "local", type: "clear" }]);
  expect(calls).toEqual(["first", "second"]);
});

describe("the eviction accounting", () => {
  function setUp() {
    const count = { grew: vi.fn<UsageCount["grew"]>(), forgetCount: vi.fn<UsageCount["forgetCount"]>() };
    return { count, receive: countChanges(count) };
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

  it("measures the database again after a change of another tab and after a clear", () => {
    const { count, receive } = setUp();
    receive([{ source: "tab", type: "delete", key: "a", version: 1 }]);
    receive([{ source: "local", type: "clear" }]);
    expect(count.forgetCount).toHaveBeenCalledTimes(2);
    expect(count.grew).not.toHaveBeenCalled();
  });
});
