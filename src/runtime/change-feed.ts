import type { Change } from "../model/change.ts";

/** Must not wait. An error that it throws is reported as the page's own: the other receivers are called all the same. */
export type ChangeReceiver = (changes: readonly Change[]) => void;

/** The one place where changes of entries are emitted. A write is emitted once it is committed, an expiry as soon as it is found. */
export class ChangeFeed {
  readonly #receivers: ChangeReceiver[] = [];

  /** Receivers are called in the order in which they subscribe. */
  subscribe(receiver: ChangeReceiver): void {
    this.#receivers.push(receiver);
  }

  emit(changes: readonly Change[]): void {
    for (const receive of this.#receivers) {
      try {
        receive(changes);
      } catch (error) {
        // Node has no such function.
        globalThis.reportError?.(error);
      }
    }
  }
}
