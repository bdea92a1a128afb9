/** What went wrong, as a stable code: tell errors apart by this, never by their message. */
export type KeyStoreErrorCode =
  | "INVALID_KEY"
  | "INVALID_VALUE"
  | "INVALID_OPTION"
  | "PAYLOAD_TOO_LARGE"
  | "VERSION_CONFLICT"
  | "CHECKSUM_MISMATCH"
  | "DECODE_FAILED"
  | "QUOTA_EXCEEDED"
  | "STORAGE_UNAVAILABLE"
  | "INSECURE_CONTEXT"
  | "PUBLISH_REJECTED"
  | "CLOSED";

export interface KeyStoreErrorDetails {
  key?: string | undefined;
  cause?: unknown;
  results?: ReadonlyMap<string, boolean>;
}

/**
 * Every error that a call rejects with, but for the reason of an aborted signal.
 * The message says what to do; `cause` is what the platform or the server said.
 */
export class KeyStoreError extends Error {
  override readonly name = "KeyStoreError";
  readonly code: KeyStoreErrorCode;
  /** The key that the call was about, where there is one. */
  readonly key?: string;
  /** A bulk call that failed part-way: the keys committed before, with their results. */
  readonly results?: ReadonlyMap<string, boolean>;

  constructor(code: KeyStoreErrorCode, message: string, { cause, ...facts }: KeyStoreErrorDetails = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    Object.assign(this, facts);
  }
}

/** Names the key of a call in an error that knows of none: it befell all of a group, or the storage. */
export function aboutKey(key: unknown, error: unknown): unknown {
  if (typeof key !== "string" || !(error instanceof KeyStoreError) || error.key !== undefined) return error;
  return new KeyStoreError(error.code, error.message, { key, cause: error.cause });
}

/** Whether an error says that what is stored under a key cannot be made a value of. */
export function isDamage(error: unknown): error is KeyStoreError {
  return error instanceof KeyStoreError && (error.code === "CHECKSUM_MISMATCH" || error.code === "DECODE_FAILED");
}

export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(messageOf(thrown));
}

/** What a thrown thing says, whatever it is. */
export function messageOf(error: unknown): string {
  try {
    return error instanceof Error ? error.message || error.name : String(error);
  } catch {
    return "something that says nothing";
  }
}
