import { systemClock } from "../util/clock.ts";
import { writeSidePart } from "./runtime.ts";

/**
 * Deletes a namespace's IndexedDB database, pending writes included.
 * @throws KeyStoreError INVALID_OPTION; STORAGE_UNAVAILABLE, after 4 s when another tab does not close the database: the browser deletes it
 * as soon as that tab does
 */
export async function destroyNamespace(namespace: string): Promise<void> {
  const { deleteNamespace } = await writeSidePart.load();
  await deleteNamespace(namespace, systemClock);
}
