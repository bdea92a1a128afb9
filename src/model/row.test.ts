import { describe, expect, it } from "vitest";
import { entryRow, NOW, tombstone } from "../testing/rows.ts";
import { isExpired, isTombstone, liveEntry } from "./row.ts";

describe("liveEntry", () => {
  it("An entry lives until the moment of its expiry, and not at that moment", () => {
    const row = entryRow({ ttl: 1, expiresAt: NOW + 1000 });
    expect(liveEntry(row, NOW + 999)).toBe(row);
    expect(liveEntry(row, NOW + 1000)).toBeUndefined();
    expect(isExpired(row, NOW + 1000)).toBe(true);
  });

  it("An entry without expiry lives for ever", () => {
    const row = entryRow();
    expect(liveEntry(row, Number.MAX_SAFE_INTEGER)).toBe(row);
  });

  it("An entry that is deleted is no entry, whatever the clock says", () => {
    expect(isTombstone(tombstone(2))).toBe(true);
    expect(liveEntry(tombstone(2), -1)).toBeUndefined();
    expect(isTombstone(entryRow())).toBe(false);
    expect(liveEntry(undefined, NOW)).toBeUndefined();
  });
});
