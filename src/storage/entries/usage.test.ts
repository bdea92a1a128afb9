import { expect, it } from "vitest";

import { openDatabase, putRows, useFreshIndexedDB } from "../../testing/indexeddb.ts";
import { entryRow, NOW, tombstone } from "../../testing/rows.ts";
import { measureLiving } from "./usage.ts";

useFreshIndexedDB();

it("measureLiving counts living entries and their sizes before compression", async () => {
  const database = openDatabase();
  await putRows(database, {
    a: entryRow({ size: 10 }),
    b: entryRow({ size: 5, expiresAt: NOW + 1 }),
    expired: entryRow({ size: 100, expiresAt: NOW }),
    deleted: tombstone(2),
  });
  expect(await measureLiving(database, NOW)).toEqual({ entries: 2, bytes: 15 });
});
