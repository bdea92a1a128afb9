import type { Commit, Draft } from "./draft.ts";

/** A call's drafts: committed together or not at all. */
export interface Call {
  readonly drafts: readonly Draft[];
  readonly signal: AbortSignal | undefined;
  /** Called when the drafts are committed, before `resolve`. */
  onWritten(): void;
  resolve(commits: readonly Commit[]): void;
  reject(error: unknown): void;
}

/** Limits of one transaction, so that no call waits long for the one before it. A single call may exceed them. */
const MAX_GROUP_WRITES = 512;
const MAX_GROUP_BYTES = 4 * 1024 * 1024;

/** The calls that wait for the next transaction. */
export class CommitQueue {
  #waiting: Call[] = [];

  add(call: Call): void {
    this.#waiting.push(call);
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /** Removes the next group, and rejects those of its calls whose signal is aborted. */
  take(): Call[] {
    const group = this.#waiting.splice(0, groupSize(this.#waiting));
    for (const { signal, reject } of group) if (signal?.aborted === true) reject(signal.reason);
    return group.filter(({ signal }) => signal?.aborted !== true);
  }
}

/** How many of the calls fit into one transaction. */
function groupSize(calls: readonly Call[]): number {
  let writes = 0;
  let bytes = 0;
  const end = calls.findIndex(({ drafts }, index) => {
    writes += drafts.length;
    for (const { weight } of drafts) bytes += weight;
    return index > 0 && (writes > MAX_GROUP_WRITES || bytes > MAX_GROUP_BYTES);
  });
  return end === -1 ? calls.length : end;
}
