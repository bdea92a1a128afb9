import { describe, expect, it } from "vitest";
import type { EntryRow, StoredPayload } from "../model/row.ts";
import type { StoreOptions } from "../options/types.ts";
import { codeOf } from "../testing/errors.ts";
import { entryRow as presentRow, NOW } from "../testing/rows.ts";
import { entryRow, FormatChanged, tombstone } from "./row-builder.ts";

const STORED: StoredPayload = { format: "json", payload: "1", checksum: "c", size: 1 };
const PRESENT = presentRow({ version: 4, createdAt: NOW - 1_000, ttl: 60, tags: ["old"], expiresAt: NOW + 1 });
const FACTS = { version: 5, now: NOW, lastUsed: NOW + 1, defaultTtl: 10 };

const build = (options: StoreOptions = {}, given: { present?: EntryRow; isUpdate?: boolean } = {}) =>
  entryRow("k", STORED, options, given.present, given.isUpdate ?? false, FACTS);

describe("The row of a store", () => {
  it("has the default ttl and no tags unless the options give them", () => {
    expect(build()).toEqual({ ...STORED, version: 5, createdAt: NOW, updatedAt: NOW, ttl: 10, expiresAt: NOW + 10_000, lastUsed: NOW + 1 });
    expect(build({ ttl: 2, tags: ["t"] })).toMatchObject({ ttl: 2, expiresAt: NOW + 2_000, tags: ["t"] });
  });

  it("has no expiry when the ttl is null", () => {
    expect(build({ ttl: null })).not.toHaveProperty("expiresAt");
  });

  it("keeps only the time of creation of the entry that it replaces", () => {
    expect(build({}, { present: PRESENT })).toMatchObject({ createdAt: NOW - 1_000, updatedAt: NOW, ttl: 10 });
    expect(build({}, { present: PRESENT })).not.toHaveProperty("tags");
  });
});

describe("The row of an update", () => {
  it("keeps the ttl and the tags that the options do not give", () => {
    expect(build({}, { present: PRESENT, isUpdate: true })).toMatchObject({ ttl: 60, expiresAt: NOW + 60_000, tags: ["old"] });
    expect(build({ ttl: null, tags: [] }, { present: PRESENT, isUpdate: true })).toMatchObject({ ttl: null });
  });

  it("is refused with FormatChanged when the entry has another format than the one that the value was encoded in", () => {
    const present = presentRow({ format: "text" });
    expect(() => build({}, { present, isUpdate: true })).toThrow(FormatChanged);
    expect(build({ format: "json" }, { present, isUpdate: true })).toMatchObject({ format: "json" });
  });
});

describe("The option ifVersion", () => {
  it.each([
    { ifVersion: 4, present: PRESENT, isRefused: false },
    { ifVersion: 3, present: PRESENT, isRefused: true },
    { ifVersion: 0, present: PRESENT, isRefused: true },
    { ifVersion: 0, present: undefined, isRefused: false },
    { ifVersion: 1, present: undefined, isRefused: true },
  ])("is compared with the version of the present entry, 0 if it is absent: %j", async ({ ifVersion, present, isRefused }) => {
    const writes = [() => build({ ifVersion }, present && { present }), () => tombstone("k", ifVersion, present, 5, NOW)];
    for (const write of writes) {
      if (isRefused) expect(await codeOf(write)).toBe("VERSION_CONFLICT");
      else expect(write()).toMatchObject({ version: 5 });
    }
  });
});
