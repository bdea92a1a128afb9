/** The kind of an error. Stable: distinguish errors by their code, never by their message. */
export type KeyStoreErrorCode =
  | "INVALID_KEY"
  | "INVALID_VALUE"
  | "INVALID_OPTION"
  | "SCHEMA_MISMATCH"
  | "PAYLOAD_TOO_LARGE"
  | "VERSION_CONFLICT"
  | "CHECKSUM_MISMATCH"
  | "DECODE_FAILED"
  | "DECRYPT_FAILED"
  | "QUOTA_EXCEEDED"
  | "STORAGE_UNAVAILABLE"
  | "INSECURE_CONTEXT"
  | "PUBLISH_REJECTED"
  | "STREAM_UNAVAILABLE"
  | "CLOSED";

export interface KeyStoreErrorDetails {
  key?: string | undefined;
  option?: string | undefined;
  cause?: unknown;
  issues?: readonly object[];
  results?: ReadonlyMap<string, boolean>;
}

/**
 * Every error that a call rejects with, except the reason of an aborted signal.
 * The message states the problem and the remedy. `cause` is the error of the platform or the server.
 */
export class KeyStoreError extends Error {
  override readonly name = "KeyStoreError";
  readonly code: KeyStoreErrorCode;
  /** The key of the call, if it has one. */
  declare readonly key?: string;
  /** INVALID_OPTION: the name of the option. Absent where the options are not an object. */
  declare readonly option?: string;
  /** SCHEMA_MISMATCH: what the schema found, each with a `message`, and a `path` in the value. Absent where the schema itself failed. */
  declare readonly issues?: readonly object[];
  /** A bulk call that failed part-way: the keys that were committed before, with their results. */
  declare readonly results?: ReadonlyMap<string, boolean>;

  constructor(code: KeyStoreErrorCode, message: string, { cause, ...facts }: KeyStoreErrorDetails = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    Object.assign(this, facts);
  }
}

export function storeClosed(key?: string): KeyStoreError {
  return new KeyStoreError("CLOSED", "The store is closed. Create a new instance.", { key });
}

/** Adds the key of a call to an error without one: a whole group, or the storage, failed. */
export function aboutKey(key: unknown, error: unknown): unknown {
  if (typeof key !== "string" || !(error instanceof KeyStoreError) || error.key !== undefined) return error;
  return new KeyStoreError(error.code, error.message, { ...error, key, cause: error.cause });
}

/** Whether an error means that a stored payload is damaged. DECRYPT_FAILED does if it says so: the key may be missing. */
export function isDamage(error: unknown): error is KeyStoreError {
  return error instanceof KeyStoreError && (error.code === "CHECKSUM_MISMATCH" || error.code === "DECODE_FAILED" || "isDamage" in error);
}

/** The message of anything that was thrown, for a message of ours: clipped. */
export function messageOf(error: unknown): string {
  try {
    return clip(error instanceof Error ? error.message || error.name : String(error));
  } catch {
    return "an error without a message";
  }
}

/** The beginning of a text that may be long. */
export function clip(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
