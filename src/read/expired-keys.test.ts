import { describe, expect, it, vi } from "vitest";
import { ExpiredKeys } from "./expired-keys.ts";

describe("A key that was found to have expired", () => {
  function setUp() {
    const onExpired = vi.fn<(keys: readonly string[], now: number) => void>();
    const expired = new ExpiredKeys(onExpired);
    expired.add(["k"], 1_000);
    return { expired, onExpired };
  }

  it("is judged by that time when the clock jumps back", () => {
    const { expired } = setUp();
    expect({ earlier: expired.timeFor("k", 10), later: expired.timeFor("k", 2_000), other: expired.timeFor("x", 10) }).toEqual({
      earlier: 1_000,
      later: 2_000,
      other: 10,
    });
  });

  it("is reported once", () => {
    const { expired, onExpired } = setUp();
    expired.add(["k"], 1_500);
    expect(onExpired).toHaveBeenCalledExactlyOnceWith(["k"], 1_000);
  });

  it("is judged by the clock again once its row is removed, and once the key is written", () => {
    const removed = setUp().expired;
    removed.removed(["k"]);
    const written = setUp().expired;
    written.apply([{ source: "tab", type: "store", key: "k", version: 2 }]);
    expect({ removed: removed.timeFor("k", 10), written: written.timeFor("k", 10) }).toEqual({ removed: 10, written: 10 });
  });
});
