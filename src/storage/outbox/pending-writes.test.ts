import { expect, it } from "vitest";
import { openDatabase, putOutbox, putRows, useFreshIndexedDB } from "../../testing/indexeddb.ts";
import { entryRow, tombstone } from "../../testing/rows.ts";
import { ENTRIES, OUTBOX } from "../idb/schema.ts";
import type { OutboxWrite } from "./outbox-record.ts";
import { pendingWrites } from "./pending-writes.ts";

useFreshIndexedDB();

const write = (sequence: number, version: number, operation: OutboxWrite["operation"] = "store"): OutboxWrite => ({
  sequence,
  key: "k",
  version,
  operation,
});

it.each([
  { name: "a store", row: entryRow({ version: 1, writeId: ["me", 9] }), operation: "store" as const },
  { name: "a delete", row: tombstone(1, ["me", 9]), operation: "delete" as const },
])("The newest write of a key is that of its row, $name, also when an older write has a higher version.", async ({ row, operation }) => {
  const database = openDatabase();
  await putRows(database, { k: row });
  await putOutbox(database, "me", { state: "sending", attempts: 0, writes: [write(3, 8)] });
  await putOutbox(database, "me", { state: "sending", attempts: 0, writes: [write(9, 1, operation)] });
  const pending = await database.run([ENTRIES, OUTBOX], "readonly", pendingWrites);
  expect(pending).toMatchObject([{ key: "k", operation, version: 1 }]);
});

it("The newest write of a key is the one with the highest version, when no write is that of the row.", async () => {
  const database = openDatabase();
  await putOutbox(database, "other", { state: "queued", attempts: 2, lastError: "lost", writes: [write(1, 5)] });
  await putOutbox(database, "me", { state: "rejected", attempts: 1, lastError: "denied", writes: [write(1, 4)] });
  const pending = await database.run([ENTRIES, OUTBOX], "readonly", pendingWrites);
  expect(pending).toEqual([{ key: "k", operation: "store", version: 5, attempts: 2, lastError: "lost", rejected: false }]);
});
