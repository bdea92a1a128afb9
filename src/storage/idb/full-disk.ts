import type { Clock } from "../../util/clock.ts";
import { within } from "../../util/deadline.ts";
import { KeyStoreError } from "../../util/errors.ts";
import type { Database, Work } from "./database.ts";
import { quotaExceeded, UnexplainedAbort } from "./errors.ts";
import { GENERATION, META } from "./schema.ts";

/** The disk counts as full when less space than this is left after the write. */
const MIN_SPACE_BYTES = 64 * 1024;
/** A write waits this long for the browser's estimate. */
const ESTIMATE_TIMEOUT_MS = 2_000;

/**
 * The error of a failed write, as QUOTA_EXCEEDED when the disk is full. A browser may abort a transaction without an error when the
 * disk is full, and for other reasons. QUOTA_EXCEEDED evicts entries, so it needs evidence: a QuotaExceededError, the browser's
 * estimate, or a small write that fails as well.
 * @param bytes the space that the write needs
 */
export async function explainFailure(error: unknown, database: Pick<Database, "run">, bytes: number, clock: Clock): Promise<unknown> {
  return isAbortWithoutReason(error) && (await isFull(database, bytes, clock)) ? quotaExceeded(error) : error;
}

/** Whether the browser aborted the transaction of a failed write without an error. */
export function isAbortWithoutReason(error: unknown): boolean {
  return error instanceof KeyStoreError && error.cause instanceof UnexplainedAbort;
}

/** The browser's estimate of the site's storage; empty when there is none (WebKitGTK, insecure pages, forbidden storage). */
export async function storageEstimate(clock: Clock): Promise<StorageEstimate> {
  try {
    return await within(clock, ESTIMATE_TIMEOUT_MS, navigator.storage.estimate(), () => ({}));
  } catch {
    return {};
  }
}

async function isFull(database: Pick<Database, "run">, bytes: number, clock: Clock): Promise<boolean> {
  const { quota = Infinity, usage = 0 } = await storageEstimate(clock);
  if (quota - usage < MIN_SPACE_BYTES + bytes) return true;
  const rewriteGeneration: Work<void> = (transaction, generation) => void transaction.objectStore(META).put(generation, GENERATION);
  const failure: unknown = await database.run([META], "readwrite", rewriteGeneration).catch((error: unknown) => error);
  return isAbortWithoutReason(failure) || (failure instanceof KeyStoreError && failure.code === "QUOTA_EXCEEDED");
}
