import { promisifyRequest } from "idb-keyval";

import { systemClock } from "../../util/clock.ts";
import { within } from "../../util/deadline.ts";
import { KeyStoreError, messageOf } from "../../util/errors.ts";
import { GENERATION, META, UPGRADES, type Table } from "./schema.ts";

/** Safari's open may hang for ever, and another tab may not let go of an older schema. */
const OPEN_TIMEOUT_MS = 4_000;

/** An upgrade goes through every entry. */
const UPGRADE_TIMEOUT_MS = 60_000;

/** So often the connections of transactions under way are asked for a sign of life: a transaction may wait its turn for long. */
const ASK_EVERY_MS = 5_000;
/** So often a connection may answer while one of its transactions waits: 20 s. Timers, and this with them, stop while the machine sleeps. */
const MOST_ANSWERS = 3;

/** So often a transaction is begun on a new connection when the one before was taken away. */
const MAX_STARTS = 20;

/** The cause where the browser aborted a transaction without an error. As an AbortError, it gets a second try. See full-disk.ts. */
export const NO_REASON = new DOMException("the browser aborted the transaction without a reason", "AbortError");

interface Handle {
  readonly database: IDBDatabase;
  readonly generation: string;
}

/** What is done in one transaction. `generation` names the database that it happens in. */
export type Work<T> = (transaction: IDBTransaction, generation: string) => T | Promise<T>;

export interface DatabaseListener {
  /** The connection is gone, with whatever was known of the data: another tab may delete or upgrade it now. */
  onLost(): void;
  /** The database that was opened is not the one of before: its entries are gone. */
  onReset(reason: string): void;
}

/**
 * The connection to one namespace's database: opened at the first transaction, let go when the platform wants it back,
 * opened again at the next. A transaction that a lost connection took down is tried once more, on a new connection.
 */
export class Database {
  readonly #name: string;
  readonly #listener: DatabaseListener;
  readonly #upgrades: typeof UPGRADES;
  /** The connection that transactions are started on; undefined when there is none. A failed open is not kept. */
  #handle: Promise<Handle> | undefined;
  /** The same once it has been opened. */
  #openHandle: Promise<Handle> | undefined;
  #isClosed = false;
  /** The generation last seen. */
  #generation: string | undefined;

  constructor(name: string, listener: DatabaseListener, upgrades = UPGRADES) {
    this.#name = name;
    this.#listener = listener;
    this.#upgrades = upgrades;
  }

  /**
   * Runs `work` in one transaction, and anew when that was lost: it must be fit to run again. Must not await anything but the
   * transaction's own requests. A readwrite one resolves when the transaction has completed, and leaves nothing waitsFor when
   * `work` throws.
   * @param onOpening called when `work` has to wait for a connection
   * @throws KeyStoreError STORAGE_UNAVAILABLE, QUOTA_EXCEEDED, CLOSED
   */
  async run<T>(tables: readonly Table[], mode: IDBTransactionMode, work: Work<T>, onOpening: () => void = () => undefined): Promise<T> {
    for (let tries = 1; ; tries++) {
      if (this.#isClosed) throw new KeyStoreError("CLOSED", "The store was closed: make a new one.");
      const opening = (this.#handle ??= this.#open());
      if (this.#openHandle !== opening) onOpening();
      let isOpen = false;
      try {
        const { database, generation } = await opening;
        isOpen = true;
        this.#openHandle = opening;
        return await transact(database, tables, mode, (transaction) => work(transaction, generation));
      } catch (error) {
        const lost = isLost(error) || (isOpen && this.#handle !== opening);
        // A transaction that could not even begin has done nothing: others may take the connection away again and again.
        const mostTries = isNamed(error, "InvalidStateError") ? MAX_STARTS : 2;
        if (!lost || tries >= mostTries) throw asKeyStoreError(error);
        this.#letGo(opening);
      }
    }
  }

  /** Lets go of the connection for good. */
  close(): void {
    this.#isClosed = true;
    this.release();
  }

  /** Lets go of the connection once its transactions are done; the next transaction opens another. */
  release(): void {
    if (this.#handle !== undefined) this.#letGo(this.#handle);
  }

  async #open(): Promise<Handle> {
    // One turn later, so that #handle holds this promise before anything can fail.
    await Promise.resolve();
    const opening = this.#handle;
    try {
      const database = await openDatabase(this.#name, this.#upgrades);
      const lost = (): void => {
        // At once: whoever wants to upgrade or delete is told that it is blocked by what is open after this.
        database.close();
        if (opening !== undefined) this.#letGo(opening);
      };
      database.onclose = lost;
      database.onversionchange = lost;
      const generation = await within(systemClock, OPEN_TIMEOUT_MS, readGeneration(database), silent).catch((error: unknown) => {
        database.close();
        throw error;
      });
      const before = this.#generation;
      this.#generation = generation;
      if (before !== undefined && before !== generation) {
        this.#listener.onReset("The database was deleted, or the site's data cleared, while the page was running.");
      }
      return { database, generation };
    } catch (error) {
      if (this.#handle === opening) this.#handle = undefined;
      throw error;
    }
  }

  #letGo(opening: Promise<Handle>): void {
    if (this.#handle === opening) {
      this.#handle = undefined;
      this.#listener.onLost();
    }
    opening.then(
      ({ database }) => database.close(),
      () => undefined,
    );
  }
}

/** Whether there is an IndexedDB here; false also where the browser forbids to ask. */
export function hasIndexedDB(): boolean {
  try {
    return (globalThis.indexedDB as IDBFactory | undefined) !== undefined;
  } catch {
    return false;
  }
}

/**
 * Deletes a database. Open connections let go of it at `versionchange`.
 * @throws KeyStoreError STORAGE_UNAVAILABLE when one does not
 */
export function deleteDatabase(name: string): Promise<void> {
  return settled((factory) => factory.deleteDatabase(name)).then(
    () => undefined,
    (error: unknown) => {
      throw asKeyStoreError(error);
    },
  );
}

async function openDatabase(name: string, upgrades: typeof UPGRADES): Promise<IDBDatabase> {
  return settled(
    (factory, inProgress) => {
      const request = factory.open(name, upgrades.length);
      request.onupgradeneeded = (event) => {
        inProgress(UPGRADE_TIMEOUT_MS);
        for (const upgrade of upgrades.slice(event.oldVersion)) upgrade(request.result, request.transaction as IDBTransaction);
      };
      return request;
    },
    (database) => database.close(),
  );
}

/**
 * An open or delete request's result within a bounded time, which starts anew when it is in progress; one that comes later
 * is handed to `tooLate`.
 */
function settled<T>(
  ask: (factory: IDBFactory, inProgress: (timeoutMs: number) => void) => IDBRequest<T>,
  tooLate?: (result: T) => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const factory = globalThis.indexedDB as IDBFactory | undefined;
    if (factory === undefined) {
      throw new KeyStoreError(
        "STORAGE_UNAVAILABLE",
        "There is no IndexedDB here: use the store in a browser, with storage allowed for the site.",
      );
    }
    const request = ask(factory, (timeoutMs) => {
      clearTimeout(timer);
      timer = setTimeout(giveUp, timeoutMs);
    }) as IDBOpenDBRequest & IDBRequest<T>;
    let blocked = false;
    let late = false;
    const giveUp = (): void => {
      late = true;
      const why = blocked ? "Another tab holds the database." : "IndexedDB does not answer. Another tab may hold the database.";
      reject(new KeyStoreError("STORAGE_UNAVAILABLE", `${why} Close the site's other tabs, or reload the page.`));
    };
    let timer = setTimeout(giveUp, OPEN_TIMEOUT_MS);
    request.onblocked = () => (blocked = true);
    request.onsuccess = () => {
      clearTimeout(timer);
      if (late) tooLate?.(request.result);
      else resolve(request.result);
    };
    request.onerror = () => {
      clearTimeout(timer);
      reject(request.error);
    };
  });
}

async function transact<T>(
  database: IDBDatabase,
  tables: readonly Table[],
  mode: IDBTransactionMode,
  work: (transaction: IDBTransaction) => T | Promise<T>,
): Promise<T> {
  // Strict: on the disk before `complete`, where the platform keeps its word.
  const transaction = database.transaction([...tables], mode, mode === "readwrite" ? { durability: "strict" } : {});
  if (mode === "readonly") return whileAlive(transaction, (async () => work(transaction))());

  // No `commit()`: after it, Firefox commits a transaction although one of its requests fails.
  const working = (async () => work(transaction))().catch((error: unknown) => {
    abort(transaction);
    throw error;
  });
  const [worked, ended] = await whileAlive(transaction, Promise.allSettled([working, completed(transaction)]));
  // An aborted transaction fails its requests with AbortError: the transaction's own error says why.
  if (worked.status === "rejected" && !isNamed(worked.reason, "AbortError")) throw worked.reason;
  if (ended.status === "rejected") throw ended.reason;
  if (worked.status === "rejected") throw worked.reason;
  return worked.value;
}

/**
 * What a transaction comes to, unless its connection falls silent, without a `close` event or an error: then it is aborted, and
 * counts as lost. One that only waits, waitsFor another tab's, has a connection that answers; but nothing of ours holds a table
 * for long, so that one which waits on and on is lost too.
 */
function whileAlive<T>(transaction: IDBTransaction, outcome: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    let answers = 0;
    const ask = (): void => {
      within(systemClock, OPEN_TIMEOUT_MS, readGeneration(transaction.db), silent)
        .then(() => ++answers > MOST_ANSWERS && silent())
        .catch((error: unknown) => {
          // A connection that was let go of cannot be asked, but still ends what it has begun.
          if (!watched.has(ask) || isNamed(error, "InvalidStateError")) return;
          watched.delete(ask); // its requests may never end
          abort(transaction);
          reject(error);
        });
    };
    watched.add(ask);
    timer ??= setTimeout(askAll, ASK_EVERY_MS);
    outcome.then(resolve, reject).finally(() => watched.delete(ask));
  });
}

/** What asks for each transaction under way. One timer for all: one for each costs too much for a read. */
const watched = new Set<() => void>();
let timer: ReturnType<typeof setTimeout> | undefined;

function askAll(): void {
  timer = watched.size === 0 ? undefined : setTimeout(askAll, ASK_EVERY_MS);
  for (const ask of watched) ask();
}

/** Which database this is, from a table that no other transaction holds for long. */
async function readGeneration(database: IDBDatabase): Promise<string> {
  return promisifyRequest(database.transaction(META).objectStore(META).get(GENERATION) as IDBRequest<string>);
}

/** Says that the connection is at fault. */
function silent(): never {
  throw new DOMException("The connection does not answer.", "UnknownError");
}

/** A write has happened when its transaction completes, never earlier. */
function completed(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error ?? NO_REASON);
  });
}

function abort(transaction: IDBTransaction): void {
  try {
    transaction.abort();
  } catch {
    // It has ended already.
  }
}

/** Errors that say that the connection, not the request, is at fault: closed by the platform, Safari's lost server. */
function isLost(error: unknown): boolean {
  return ["InvalidStateError", "UnknownError", "AbortError"].some((name) => isNamed(error, name));
}

function isNamed(error: unknown, name: string): boolean {
  return error instanceof Error && error.name === name;
}

export function quotaExceeded(cause: unknown): KeyStoreError {
  const message = "The browser's storage for this site is full: delete entries, or give them a ttl. Nothing was changed.";
  return new KeyStoreError("QUOTA_EXCEEDED", message, { cause });
}

function asKeyStoreError(error: unknown): KeyStoreError {
  if (error instanceof KeyStoreError) return error;
  if (isNamed(error, "QuotaExceededError")) return quotaExceeded(error);
  const advice = isNamed(error, "VersionError")
    ? "the database was written by a newer version of nas-keystore: reload the page"
    : `${messageOf(error)}: allow storage for this site (private windows may have none)`;
  return new KeyStoreError("STORAGE_UNAVAILABLE", `IndexedDB cannot be used, ${advice}.`, { cause: error });
}
