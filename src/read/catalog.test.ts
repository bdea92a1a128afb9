import { describe, expect, it } from "vitest";
import { metadataOf } from "./catalog.ts";
import { entryRow, NOW } from "../testing/rows.ts";

describe("Metadata", () => {
  it("has the facts of the row under public names and types", () => {
    const row = entryRow({ version: 3, ttl: 60, expiresAt: NOW + 60_000, updatedAt: NOW + 5, tags: ["a", "b"] });
    expect(metadataOf("k", row, "queued")).toEqual({
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
      rejected: false,
      stale: false,
      encrypted: false,
    });
  });

  it("has no expiry and no tags if the row has none", () => {
    expect(metadataOf("k", entryRow(), undefined)).toMatchObject({ ttl: null, expiresAt: null, tags: [], pending: false });
  });

  it("shares no array with the row", () => {
    const row = entryRow({ tags: ["a"] });
    expect(metadataOf("k", row, undefined).tags).not.toBe(row.tags);
  });
});
