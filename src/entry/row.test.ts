import { describe, expect, it } from "vitest";
import { entryRow, NOW, tombstone } from "../testing/rows.ts";
import { isExpired, isTombstone, liveEntry, metadataOf } from "./row.ts";

describe("an entry", () => {
  it("lives until the moment of its expiry, and not at that moment", () => {
    const row = entryRow({ ttl: 1, expiresAt: NOW + 1000 });
    expect(liveEntry(row, NOW + 999)).toBe(row);
    expect(liveEntry(row, NOW + 1000)).toBeUndefined();
    expect(isExpired(row, NOW + 1000)).toBe(true);
  });

  it("without expiry lives for ever", () => {
    const row = entryRow();
    expect(liveEntry(row, Number.MAX_SAFE_INTEGER)).toBe(row);
  });

  it("that is deleted is no entry, whatever the clock says", () => {
    expect(isTombstone(tombstone(2))).toBe(true);
    expect(liveEntry(tombstone(2), -1)).toBeUndefined();
    expect(isTombstone(entryRow())).toBe(false);
    expect(liveEntry(undefined, NOW)).toBeUndefined();
  });
});

describe("metadata", () => {
  it("tells what the row says, in the public names and types", () => {
    const row = entryRow({ version: 3, ttl: 60, expiresAt: NOW + 60_000, updatedAt: NOW + 5, tags: ["a", "b"] });
    expect(metadataOf("k", row, true)).toEqual({
      key: "k",
      format: "json",
      size: 7,
      version: 3,
      createdAt: new Date(NOW),
      updatedAt: new Date(NOW + 5),
      ttl: 60,
      expiresAt: new Date(NOW + 60_000),
      tags: ["a", "b"],
      checksum: row.checksum,
      pending: true,
      stale: false,
      encrypted: false,
    });
  });

  it("has no expiry and no tags where the row has none", () => {
    expect(metadataOf("k", entryRow(), false)).toMatchObject({ ttl: null, expiresAt: null, tags: [], pending: false });
  });

  it("shares no array with the row", () => {
    const row = entryRow({ tags: ["a"] });
    expect(metadataOf("k", row, false).tags).not.toBe(row.tags);
  });
});
