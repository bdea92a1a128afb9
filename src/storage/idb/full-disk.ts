import { systemClock } from "../../util/clock.ts";
import { within } from "../../util/deadline.ts";
import { KeyStoreError } from "../../util/errors.ts";
import { NO_REASON, quotaExceeded, type Database, type Work } from "./database.ts";
import { GENERATION, META } from "./schema.ts";

/** The disk counts as full with less space than this beside what a write needs. */
const LEAST_SPACE_BYTES = 64 * 1024;
/** No write waits longer for the browser's estimate. */
const ESTIMATE_TIMEOUT_MS = 2_000;

/**
 * The error of a failed write, as QUOTA_EXCEEDED when the disk is full. A browser may abort a transaction without an error when the
 * disk is full, and for other reasons. QUOTA_EXCEEDED evicts entries, so it needs evidence: a QuotaExceededError, the
 * browser's estimate, or a small write that fails as well.
 * @param bytes the space that the write needs
 */
export async function explainFailure(error: unknown, database: Database, bytes: number): Promise<unknown> {
  return isAbortWithoutReason(error) && (await isFull(database, bytes)) ? quotaExceeded(error) : error;
}

async function isFull(database: Database, bytes: number): Promise<boolean> {
  const { quota = Infinity, usage = 0 } = await storageEstimate();
  if (quota - usage < LEAST_SPACE_BYTES + bytes) return true;
  // A write that changes nothing.
  const rewrite: Work<void> = (transaction, generation) => void transaction.objectStore(META).put(generation, GENERATION);
  return database.run([META], "readwrite", rewrite).then(
    () => false,
    (failure: unknown) => isAbortWithoutReason(failure) || (failure instanceof KeyStoreError && failure.code === "QUOTA_EXCEEDED"),
  );
}

export function isAbortWithoutReason(error: unknown): boolean {
  return error instanceof KeyStoreError && error.cause === NO_REASON;
}

/** The browser's estimate of the site's storage; empty where there is none (WebKitGTK, insecure pages, forbidden storage). */
export async function storageEstimate(): Promise<StorageEstimate> {
  try {
    return await within(systemClock, ESTIMATE_TIMEOUT_MS, navigator.storage.estimate(), () => ({}));
  } catch {
    return {};
  }
}
