import type { KeyMetadata } from "./metadata.ts";
import type { KeyStoreError } from "../util/errors.ts";

/** Event type → the event's `detail`. */
export interface KeyStoreEvents {
  /**
   * An entry has changed, in this tab or in another one. The `key` of a `clear` is the pattern of the watch ("*" for the event): the entries that match
   * it may all have changed, so read again what you show.
   */
  change: {
    key: string;
    type: "store" | "delete" | "expire" | "evict" | "invalidate" | "clear";
    source: "local" | "tab" | "remote";
    version?: number;
  };
  /** The server has confirmed a write. Fires in the tab that published it, which may not be the tab that wrote it. */
  published: { key: string; version: number; operation: "store" | "delete" };
  /** The server refused a message that this tab published. The write stays in `pendingWrites()`. */
  rejected: { key: string; version: number; error: KeyStoreError };
  /** Publishing failed with this error. Writes are queued. */
  offline: { error: Error; pending: number };
  /** The server answers again. */
  online: { pending: number };
  /** A stored payload is damaged. Fires at every read of its key. */
  corrupt: { key: string; error: KeyStoreError };
  /** The database was cleared or deleted under the running page. */
  reset: { reason: string };
  /** Durable mode: the order of the stream has overruled a write of this browser, whose value is lost. `metadata` is that of the lost entry. */
  conflict: { key: string; lost: unknown; metadata: KeyMetadata };
}

/** A change as the listeners of `watch` and of the event get it. It is frozen, since they share it. */
export type PublicChange = KeyStoreEvents["change"];

export type ChangeListener = (change: PublicChange) => void;

/** Dispatches one event. Every event of the library goes through it. */
export type Emit = <E extends keyof KeyStoreEvents>(type: E, detail: KeyStoreEvents[E]) => void;

/** Events are CustomEvents whose `detail` is the KeyStoreEvents type of that name. */
export interface KeyStoreEventTarget extends EventTarget {
  addEventListener<E extends keyof KeyStoreEvents>(
    type: E,
    listener: (event: CustomEvent<KeyStoreEvents[E]>) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | AddEventListenerOptions): void;
  removeEventListener<E extends keyof KeyStoreEvents>(
    type: E,
    listener: (event: CustomEvent<KeyStoreEvents[E]>) => void,
    options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | EventListenerOptions): void;
}
