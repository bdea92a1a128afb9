import { expect, it } from "vitest";
import { openDatabase, putOutbox, useFreshIndexedDB } from "../../testing/indexeddb.ts";
import { OUTBOX } from "../idb/schema.ts";
import type { OutboxWrite } from "./outbox-record.ts";
import { pendingWrites } from "./pending-writes.ts";

useFreshIndexedDB();

const write = (sequence: number, version: number, operation: OutboxWrite["operation"] = "store"): OutboxWrite => ({
  sequence,
  key: "k",
  version,
  operation,
});

it("The newest unconfirmed write of a key is the one with the highest version, whichever store wrote it", async () => {
  const database = openDatabase();
  await putOutbox(database, "other", { state: "queued", attempts: 2, lastError: "lost", writes: [write(1, 5)] });
  await putOutbox(database, "me", { state: "rejected", attempts: 1, lastError: "denied", writes: [write(1, 4)] });
  await putOutbox(database, "you", { state: "sending", attempts: 0, writes: [write(7, 6, "delete"), write(8, 3)] });
  const pending = await database.run([OUTBOX], "readonly", pendingWrites);
  expect(pending).toEqual([{ key: "k", operation: "delete", version: 6, attempts: 0, rejected: false }]);
});
