import type { KeyStoreError } from "../util/errors.ts";

/** Event type → the event's `detail`. */
export interface KeyStoreEvents {
  /** The server has confirmed a write. Fires where it was sent from, which may be another tab than wrote it. */
  published: { key: string; version: number; operation: "store" | "delete" };
  /** The server refused a message, sent from here; it is kept in `pendingWrites()`. */
  rejected: { key: string; version: number; error: KeyStoreError };
  /** Nothing could be published; the error says why. Writes are queued. */
  offline: { error: Error; pending: number };
  /** The server answers a store that was offline. */
  online: { pending: number };
  /** What is stored under a key is damaged; fired at every read of it. */
  corrupt: { key: string; error: KeyStoreError };
  /** The database was cleared or deleted under the running page. */
  reset: { reason: string };
}

/** Dispatches one event; the only way an event leaves the library. */
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

/** An EventTarget that knows its events by their types: no code of its own. */
export const KeyStoreEventTarget: new () => KeyStoreEventTarget = EventTarget as unknown as new () => KeyStoreEventTarget;
