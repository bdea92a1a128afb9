import type { Draft } from "../storage/commit/draft.ts";
import { abortable } from "../util/abort.ts";
import type { Place } from "./key-queue.ts";

/** A write that is published before it is committed. */
export interface StreamDraft {
  readonly draft: Draft;
  /** The revision that the stream must have of the key. Undefined: any. */
  readonly ifRevision: number | undefined;
  /** The write was made of the present entry, which therefore must have this revision too. */
  readonly isUpdate?: boolean;
}

/** A write that the stream has acknowledged. */
export interface StreamWritten {
  /** Whether the key existed in this browser. */
  readonly existed: boolean;
}

/**
 * Publishes writes to the stream, and commits those that it acknowledges. Must be called when earlier writes of their keys are committed.
 * @param atomic all or none: the promise rejects if the stream does not take all of them
 */
export type WriteToStream = (writes: readonly StreamDraft[], atomic: boolean) => Promise<readonly PromiseSettledResult<StreamWritten>[]>;

/**
 * Does the work when earlier writes are committed. An aborted signal ends the wait, not the work: the stream may have the message. Later writes
 * of the keys wait for the work all the same.
 * @param end called when the work has ended
 */
export function whenPublished<T>(place: Place, signal: AbortSignal | undefined, work: () => Promise<T>, end: () => void): Promise<T> {
  const working = place.earlierCommitted.then(() => {
    signal?.throwIfAborted();
    return work();
  });
  working.then(end, end);
  return abortable(signal, () => working);
}
