import type { Clock } from "../util/clock.ts";
import { within } from "../util/deadline.ts";
import { KeyStoreError, messageOf } from "../util/errors.ts";
import { encryptionPart } from "../values/encryption-part.ts";
import type { EncryptionSettings } from "../values/key-source.ts";
import { backoffMs } from "./backoff.ts";
import type { SentWrite, Settler } from "./settler.ts";

/** A queued write that is published in plain text, and whose row is encrypted with a key that no store of the page has loaded. */
export interface WriteWithoutKey extends SentWrite {
  readonly keyId: string;
}

export interface MissingKeysPorts {
  readonly clock: Clock;
  /** The stores of the page: any of them may have the key of a write. */
  readonly stores: () => readonly EncryptionSettings[];
  readonly settler: Pick<Settler, "settle">;
  /** Called when a key has been loaded: the outbox is to be drained again. */
  readonly onLoaded: () => void;
}

/**
 * Loads the keys of queued writes, off the path of a drain: a function that returns a key may never answer, and other writes must not wait
 * for it.
 */
export class MissingKeys {
  readonly #ports: MissingKeysPorts;
  #loading: Promise<boolean> | undefined;
  #failures = 0;
  /** No key is loaded before, as `clock.monotonic()` counts. */
  #dueAt = 0;
  #isStopped = false;

  constructor(ports: MissingKeysPorts) {
    this.#ports = ports;
  }

  /** Loads the keys of writes in the background, with backoff. Writes whose key cannot be loaded stay queued, with the error. */
  load(writes: readonly WriteWithoutKey[]): void {
    if (writes.length === 0 || this.#loading !== undefined || this.#ports.clock.monotonic() < this.#dueAt) return;
    const loading = this.#loadAll(writes)
      // The part did not load.
      .catch(() => false)
      .finally(() => {
        if (this.#loading === loading) this.#loading = undefined;
      });
    this.#loading = loading;
  }

  /** Whether the loading under way, if there is any, finds a key within `ms` milliseconds. */
  async loaded(ms: number): Promise<boolean> {
    return this.#loading !== undefined && within(this.#ports.clock, ms, this.#loading, () => false);
  }

  /** The page has more keys: the next drain need not wait. */
  keysAdded(): void {
    this.#loading = undefined;
    this.#dueAt = 0;
  }

  stop(): void {
    this.#isStopped = true;
  }

  async #loadAll(writes: readonly WriteWithoutKey[]): Promise<boolean> {
    const { clock, onLoaded, settler, stores } = this.#ports;
    const { findKey } = await encryptionPart.load();
    const ids = new Set(writes.map(({ keyId }) => keyId));
    const failures = new Map<string, Error>();
    const loadKey = (id: string) => findKey(id, stores()).catch((error: unknown) => void failures.set(id, reported(error)));
    await Promise.all(Array.from(ids, loadKey));
    if (this.#isStopped) return false;

    this.#failures = failures.size === 0 ? 0 : this.#failures + 1;
    if (failures.size > 0) this.#dueAt = clock.monotonic() + backoffMs(this.#failures, clock.random());
    // Must settle a write once: the other tabs hear of it, and drain the outbox themselves.
    const failed = writes.flatMap((write) => {
      const error = failures.get(write.keyId);
      return error === undefined || codeIn(error.message) === codeIn(write.lastError) ? [] : [{ write, error }];
    });
    if (failed.length > 0) {
      const results = failed.map(({ error }) => ({ status: "unknown", error }) as const);
      settler.settle(
        failed.map(({ write }) => write),
        results,
      );
    }
    const isLoaded = failures.size < ids.size;
    if (isLoaded) onLoaded();
    return isLoaded;
  }
}

/** With its code in the message: the outbox keeps nothing else of an error. */
function reported(error: unknown): Error {
  return new Error(error instanceof KeyStoreError ? `${error.code}: ${error.message}` : messageOf(error));
}

function codeIn(message: string | undefined): string | undefined {
  return message?.split(":")[0];
}
