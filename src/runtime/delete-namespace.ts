import { assertNamespace } from "../model/namespace.ts";
import { deleteDatabase } from "../storage/idb/delete-database.ts";
import { databaseName } from "../storage/idb/schema.ts";
import type { Clock } from "../util/clock.ts";

/** @throws KeyStoreError INVALID_OPTION, STORAGE_UNAVAILABLE */
export async function deleteNamespace(namespace: unknown, clock: Clock): Promise<void> {
  assertNamespace(namespace);
  await deleteDatabase(databaseName(namespace), clock);
}
