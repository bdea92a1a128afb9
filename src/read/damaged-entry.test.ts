import { describe, expect, it } from "vitest";
import type { EntryRow } from "../model/row.ts";
import { codeOf, errorOf } from "../testing/errors.ts";
import { allRows, openDatabase, putRows } from "../testing/indexeddb.ts";
import { entryRow } from "../testing/rows.ts";
import { DATABASE, listen, usePage } from "../testing/stores.ts";

const page = usePage();

/** Changes a row in the database without the store. */
async function damage(key: string, change: Partial<Record<keyof EntryRow, unknown>>): Promise<void> {
  const database = openDatabase(DATABASE);
  const row = (await allRows(database))[key];
  await putRows(database, { [key]: { ...row, ...change } });
  database.release();
}

describe("A damaged entry", () => {
  it("rejects CHECKSUM_MISMATCH and dispatches `corrupt` at every read, until the key is stored again", async () => {
    await page.open().store("k", "value");
    await damage("k", { payload: '"evil!"' });
    const store = page.open();
    const events = listen(store);
    for (let read = 1; read <= 2; read++) {
      expect(await errorOf(() => store.retrieve("k"))).toMatchObject({ code: "CHECKSUM_MISMATCH", key: "k" });
      expect(events.filter(({ type }) => type === "corrupt")).toHaveLength(read);
    }
    await damage("k", { version: -1 });
    expect(await errorOf(() => store.getMetadata("k"))).toMatchObject({ code: "CHECKSUM_MISMATCH", key: "k" });
    expect(events.filter(({ type }) => type === "corrupt")).toHaveLength(3);
    await store.store("k", "new");
    expect(await page.open().retrieve("k")).toBe("new");
  });

  it("is left out by bulkRetrieve, which dispatches `corrupt`", async () => {
    await page.open().bulkStore({ a: 1, b: 2 });
    await damage("a", { checksum: "0".repeat(64) });
    const store = page.open();
    const events = listen(store);
    expect(await store.bulkRetrieve(["a", "b"])).toEqual(new Map([["b", 2]]));
    expect(events).toMatchObject([{ type: "corrupt", detail: { key: "a" } }]);
  });

  it.each<[string, unknown]>([
    ["no object", 5],
    ["an empty object", {}],
    ["an entry of an unknown format", { ...entryRow(), format: "pickle" }],
    ["an entry without write id", { ...entryRow(), writeId: undefined }],
    ["an entry with a time that is none", { ...entryRow(), createdAt: Number.NaN }],
    ["an entry with tags that are none", { ...entryRow(), tags: [5] }],
  ])("rejects CHECKSUM_MISMATCH when its record is %s", async (_, row) => {
    await putRows(openDatabase(DATABASE), { k: row });
    const store = page.open();
    expect(await codeOf(() => store.retrieve("k"))).toBe("CHECKSUM_MISMATCH");
    expect(await store.bulkRetrieve(["k"])).toEqual(new Map());
    expect(await store.store("k", 1)).toBe(true);
    expect(await store.retrieve("k", { useCache: false })).toBe(1);
  });
});

describe("A record that is not a row", () => {
  it("rejects CHECKSUM_MISMATCH until the key is stored or updated", async () => {
    const database = openDatabase(DATABASE);
    await putRows(database, { stored: { version: 4 }, updated: null });
    database.close();
    const store = page.open();
    expect(await codeOf(() => store.retrieve("stored"))).toBe("CHECKSUM_MISMATCH");
    expect(await codeOf(() => store.getMetadata("updated"))).toBe("CHECKSUM_MISMATCH");
    await store.store("stored", 1);
    await store.update("updated", 2);
    expect(await store.getMetadata("stored")).toMatchObject({ version: 5 });
    expect((await store.getMetadata("stored"))?.createdAt.getFullYear()).toBeGreaterThan(2000);
    expect(await store.retrieve("updated")).toBe(2);
  });
});
