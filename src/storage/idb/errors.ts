import { KeyStoreError, messageOf } from "../../util/errors.ts";

/** The browser aborted a transaction and gave no error. full-disk.ts finds out whether the disk is full. */
export class UnexplainedAbort extends Error {}

/** Whether the connection may be at fault, not the request: the work is worth a second try on a new connection. */
export function isLostConnection(error: unknown): boolean {
  return error instanceof UnexplainedAbort || hasName(error, "InvalidStateError", "UnknownError", "AbortError");
}

/** Whether the connection was closed before the transaction could begin: nothing has happened. */
export function isClosedConnection(error: unknown): boolean {
  return hasName(error, "InvalidStateError");
}

export function quotaExceeded(cause: unknown): KeyStoreError {
  const message = "The browser's storage for this site is full. Nothing was changed. Delete entries, or give them a ttl.";
  return new KeyStoreError("QUOTA_EXCEEDED", message, { cause });
}

export function asKeyStoreError(error: unknown): KeyStoreError {
  if (error instanceof KeyStoreError) return error;
  if (hasName(error, "QuotaExceededError")) return quotaExceeded(error);
  const message = hasName(error, "VersionError")
    ? "A newer version of nas-keystore wrote the database. Reload the page."
    : `IndexedDB failed. Allow storage for this site; a private window may have none. Reason: ${messageOf(error)}`;
  return new KeyStoreError("STORAGE_UNAVAILABLE", message, { cause: error });
}

export function hasName(error: unknown, ...names: string[]): boolean {
  return error instanceof Error && names.includes(error.name);
}
