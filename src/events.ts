import type { KeyStoreError } from "./errors.ts";

/** Event type → the event's `detail`. */
export interface KeyStoreEvents {
  /** The server has confirmed a write. */
  published: { key: string; version: number; operation: "store" | "delete" };
  /** The server refused a message; it is kept in `pendingWrites()`. */
  rejected: { key: string; version: number; error: KeyStoreError };
  /** Nothing could be published; the error says why. Writes are queued. */
  offline: { error: Error; pending: number };
  /** The server answers again. */
  online: { pending: number };
  /** What is stored under a key is damaged; fired at every read of it. */
  corrupt: { key: string; error: KeyStoreError };
  /** The database was cleared or deleted under the running page. */
  reset: { reason: string };
}

/** Dispatches one event; the only way an event leaves the library. */
export type Emit = <E extends keyof KeyStoreEvents>(type: E, detail: KeyStoreEvents[E]) => void;
