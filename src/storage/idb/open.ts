import type { Clock } from "../../util/clock.ts";
import { KeyStoreError } from "../../util/errors.ts";
import type { Upgrade } from "./schema.ts";

/** Safari's open may never answer, and another tab may keep an older schema open. */
const OPEN_TIMEOUT_MS = 4_000;

/** An upgrade may visit every entry. */
const UPGRADE_TIMEOUT_MS = 60_000;

/** Whether this environment has IndexedDB. Some browsers throw when storage is forbidden. */
export function hasIndexedDB(): boolean {
  try {
    return (globalThis.indexedDB as IDBFactory | undefined) !== undefined;
  } catch {
    return false;
  }
}

/** Opens a database, and upgrades it. A database that opens after the time limit is closed again. */
export function openDatabase(name: string, upgrades: readonly Upgrade[], clock: Clock): Promise<IDBDatabase> {
  const open = (factory: IDBFactory, allow: (ms: number) => void): IDBOpenDBRequest => {
    const request = factory.open(name, upgrades.length);
    request.onupgradeneeded = (event) => {
      allow(UPGRADE_TIMEOUT_MS);
      for (const upgrade of upgrades.slice(event.oldVersion)) upgrade(request.result, request.transaction as IDBTransaction);
    };
    return request;
  };
  return boundedRequest(clock, open, { onLate: (database) => database.close() });
}

/**
 * The result of an open or delete request, within a time limit.
 * @param start starts the request; its `allow` sets a new time limit, from now on
 * @param late what happens after the limit: `onLate` is called with the result, the error says `pending`
 */
export function boundedRequest<T>(
  clock: Clock,
  start: (factory: IDBFactory, allow: (ms: number) => void) => IDBRequest<T>,
  { onLate, pending = "" }: { onLate?: (result: T) => void; pending?: string },
): Promise<T> {
  return new Promise((resolve, reject) => {
    const factory = globalThis.indexedDB as IDBFactory | undefined;
    if (factory === undefined) {
      const message = "IndexedDB is not available. Use the store in a browser, with storage allowed for the site.";
      throw new KeyStoreError("STORAGE_UNAVAILABLE", message);
    }
    let isBlocked = false;
    let isLate = false;
    const giveUp = (): void => {
      isLate = true;
      const problem = isBlocked ? "Another tab holds" : "IndexedDB does not answer. Another tab may hold";
      reject(
        new KeyStoreError("STORAGE_UNAVAILABLE", `${problem} the database. ${pending}Close the site's other tabs, or reload the page.`),
      );
    };
    const request = start(factory, (ms) => {
      timer.cancel();
      timer = clock.setTimer(giveUp, ms);
    }) as IDBOpenDBRequest & IDBRequest<T>;
    let timer = clock.setTimer(giveUp, OPEN_TIMEOUT_MS);
    request.onblocked = () => (isBlocked = true);
    request.onsuccess = () => {
      timer.cancel();
      if (isLate) onLate?.(request.result);
      else resolve(request.result);
    };
    request.onerror = () => {
      timer.cancel();
      reject(request.error);
    };
  });
}
