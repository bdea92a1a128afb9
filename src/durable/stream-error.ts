import { KeyStoreError, messageOf } from "../util/errors.ts";

/** The `error` of an answer of JetStream. */
export interface ApiError {
  readonly code?: number;
  readonly err_code?: number;
  readonly description?: string;
}

/** Values of `err_code`. */
export const ErrorCode = {
  STREAM_NOT_FOUND: 10059,
  MESSAGE_NOT_FOUND: 10037,
  SUBJECTS_OVERLAP: 10065,
  /** The last message of the subject is another one than the message expects. */
  WRONG_LAST_SEQUENCE: 10071,
  /** The same, where the server does not tell which: a message of the subject is being stored. */
  WRONG_LAST_SEQUENCE_NOW: 10164,
  /** The stream does not allow messages to have a TTL. */
  TTL_NOT_ALLOWED: 10166,
  /** The stream does not allow batches. */
  BATCHES_NOT_ALLOWED: 10174,
  /** A message of the batch is missing, or the server has given the batch up. */
  INCOMPLETE_BATCH: 10176,
  BATCH_TOO_LARGE: 10199,
  TOO_MANY_BATCHES: 10210,
} as const;

/** Thrown where JetStream refuses a request. */
export class StreamRequestError extends Error {
  override readonly name = "StreamRequestError";
  readonly code: number;
  /** See ErrorCode. */
  readonly errorCode: number;

  constructor({ code = 500, err_code = 0, description = "unknown error" }: ApiError) {
    super(description);
    this.code = code;
    this.errorCode = err_code;
  }

  /** Whether a later attempt may succeed without a change of the request. */
  get isTemporary(): boolean {
    return !(this.code >= 400 && this.code < 500);
  }
}

export function streamUnavailable(reason: string, cause?: unknown): KeyStoreError {
  const remedy = "Check that the server has JetStream, and create the stream with ensureStream().";
  return new KeyStoreError("STREAM_UNAVAILABLE", `${reason} ${remedy}`, { cause });
}

/** Any failure of a request, as the caller of an operation gets it. */
export function asUnavailable(error: unknown): KeyStoreError {
  if (error instanceof KeyStoreError) return error;
  return streamUnavailable(`The stream cannot be reached (${messageOf(error)}).`, error);
}

/** The answer where nobody listens to the subject of a request. */
export function noResponders(): KeyStoreError {
  const cause = new Error(NO_RESPONDERS);
  return streamUnavailable("No stream takes messages of this namespace, or the server has no JetStream.", cause);
}

const NO_RESPONDERS = "no responders";

/** Whether an error is the one of `noResponders`. */
export function isNoResponders(error: unknown): boolean {
  return error instanceof KeyStoreError && error.cause instanceof Error && error.cause.message === NO_RESPONDERS;
}

/** Whether the client has no permission for a request. */
export function isForbidden(error: unknown): boolean {
  return error instanceof Error && /permissions? violation/i.test(error.message);
}
