import type { PublishResult } from "../network/transport.ts";
import { KeyStoreError, messageOf } from "../util/errors.ts";
import { batchTooLarge } from "./batch.ts";
import { ErrorCode, StreamRequestError } from "./stream-error.ts";

/*
 * The errors of writes that are published first. None of them leaves anything behind in this browser.
 */

/** A write of a batch. */
interface Write {
  readonly draft: { readonly key: string };
  readonly message: { readonly subject: string };
  readonly ifRevision: number | undefined;
}

/** @param place which has another revision. @param actual undefined: not known */
export function conflict(key: string | undefined, expected: number | undefined, actual: number | undefined, place: string): KeyStoreError {
  const problem = key === undefined ? "An item does not have the expected revision" : `Expected revision ${expected}`;
  const has =
    actual === undefined ? `${place} has another one` : `${place} has ${actual === 0 ? "no message of the key" : `revision ${actual}`}`;
  const remedy = 'Nothing has changed. Read the key with { pull: "always" }, or pull, then retry.';
  return new KeyStoreError("VERSION_CONFLICT", `${problem}, but ${has}. ${remedy}`, { key });
}

/** The stream has not confirmed that it has the message. */
export function notAcknowledged(cause: unknown, key?: string): KeyStoreError {
  const reason = messageOf(cause).replace(/\.$/, "");
  const remedy = "The entry is as it was, and nothing is queued. Should the stream have it all the same, the next pull() brings it.";
  return new KeyStoreError("STREAM_UNAVAILABLE", `The stream has not acknowledged the write (${reason}). ${remedy}`, { key, cause });
}

/** The error of a message that was not confirmed. */
export function refusalOf(key: string | undefined, ifRevision: number | undefined, result: PublishResult | undefined): KeyStoreError {
  if (result?.status !== "rejected") return notAcknowledged(result?.status === "unknown" ? result.error : undefined, key);
  const { error } = result;
  if (error instanceof StreamRequestError) {
    if (error.errorCode === ErrorCode.WRONG_LAST_SEQUENCE) return conflict(key, ifRevision, lastNumber(error.message), "the stream");
    if (error.errorCode === ErrorCode.WRONG_LAST_SEQUENCE_NOW) return conflict(key, ifRevision, undefined, "the stream");
    if (error.errorCode === ErrorCode.BATCH_TOO_LARGE) return batchTooLarge(error.message);
    if (BATCH_UNAVAILABLE.includes(error.errorCode)) return notAcknowledged(error, key);
  }
  const message = `The server refused the message (${messageOf(error)}). The entry is as it was, and nothing is queued.`;
  return new KeyStoreError("PUBLISH_REJECTED", message, { key, cause: error });
}

/**
 * The error of a batch. The messages after a refused one are refused as an incomplete batch.
 * @param subjectAt the subject of the message that the stream has under a revision
 */
export async function batchError(
  writes: readonly Write[],
  results: readonly PublishResult[],
  subjectAt: (revision: number) => Promise<string | undefined>,
): Promise<KeyStoreError> {
  const at = results.findIndex(({ status }) => status !== "confirmed");
  const result = results[at];
  if (at < results.length - 1) return refusalOf(writes[at]?.draft.key, writes[at]?.ifRevision, result);
  // The last message gets the refusal of whichever message has another revision than it expects.
  const actual = conflictingRevision(result);
  let suspects = writes.filter(({ ifRevision }) => ifRevision !== undefined && ifRevision !== actual);
  if (suspects.length > 1 && actual !== undefined && actual > 0) {
    const subject = await subjectAt(actual);
    suspects = suspects.filter(({ message }) => message.subject === subject);
  }
  const [suspect] = suspects.length === 1 ? suspects : [];
  return refusalOf(suspect?.draft.key, suspect?.ifRevision, result);
}

function conflictingRevision(result: PublishResult | undefined): number | undefined {
  return result?.status === "rejected" ? lastNumber(result.error.message) : undefined;
}

const BATCH_UNAVAILABLE: readonly number[] = [ErrorCode.BATCHES_NOT_ALLOWED, ErrorCode.INCOMPLETE_BATCH, ErrorCode.TOO_MANY_BATCHES];

function lastNumber(text: string): number | undefined {
  const [digits] = /\d+$/.exec(text) ?? [];
  return digits === undefined ? undefined : Number(digits);
}
