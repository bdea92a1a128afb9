import type { Clock } from "../../util/clock.ts";
import { storeClosed } from "../../util/errors.ts";
import { asKeyStoreError, isClosedConnection, isLostConnection } from "./errors.ts";
import { readGeneration } from "./generation.ts";
import { openDatabase } from "./open.ts";
import { UPGRADES, type Table } from "./schema.ts";
import type { Durability, Transact } from "./transaction.ts";

/** A transaction may lose its connection this often before it begins: other tabs may upgrade or delete the database repeatedly. */
const MAX_STARTS = 20;

/** The work of one transaction. `generation` is the id of the database. */
export type Work<T> = (transaction: IDBTransaction, generation: string) => T | Promise<T>;

export interface RunOptions {
  /**
   * Of a readwrite transaction.
   * @default "strict"
   */
  readonly durability?: Durability;
  /** Called when `work` has to wait for a connection. */
  readonly onOpening?: () => void;
}

export interface DatabaseOptions {
  readonly clock: Clock;
  /** Called when the connection is gone. Another tab may delete or upgrade the database now: forget what is known of its data. */
  readonly onLost: () => void;
  /** Called when the database that was opened is not the one of before: its entries are gone. */
  readonly onReset: (reason: string) => void;
  /** @default UPGRADES */
  readonly upgrades?: typeof UPGRADES;
}

interface Connection {
  readonly database: IDBDatabase;
  readonly generation: string;
}

/**
 * The connection to the database of one namespace. The first transaction opens it. It closes when the platform asks for that, and the
 * next transaction opens it again. A transaction that a lost connection ends is tried once more, on a new connection.
 */
export class Database {
  /** Reads only, until the write side sets one that also writes, and ends transactions that never end by themselves: transaction.ts. */
  transact: Transact = async (database, tables, _mode, _durability, work) => work(database.transaction([...tables]));
  readonly #name: string;
  readonly #options: DatabaseOptions;
  /** The connection for new transactions; undefined when there is none. A failed open is not kept. */
  #connection: Promise<Connection> | undefined;
  /** The last connection that opened. */
  #opened: Promise<Connection> | undefined;
  #isClosed = false;
  /** The generation last seen. */
  #generation: string | undefined;

  constructor(name: string, options: DatabaseOptions) {
    this.#name = name;
    this.#options = options;
  }

  /**
   * Runs `work` in one transaction, and once more when the connection was lost: `work` must be repeatable. Must await only the
   * transaction's own requests. A readwrite transaction resolves when it has completed. It changes nothing when `work` throws.
   * @throws KeyStoreError STORAGE_UNAVAILABLE, QUOTA_EXCEEDED, CLOSED
   */
  async run<T>(
    tables: readonly Table[],
    mode: IDBTransactionMode,
    work: Work<T>,
    { durability = "strict", onOpening }: RunOptions = {},
  ): Promise<T> {
    for (let tries = 1; ; tries++) {
      if (this.#isClosed) throw storeClosed();
      const connection = (this.#connection ??= this.#open());
      if (this.#opened !== connection) onOpening?.();
      let isOpen = false;
      try {
        const { database, generation } = await connection;
        isOpen = true;
        this.#opened = connection;
        return await this.transact(database, tables, mode, durability, (transaction) => work(transaction, generation));
      } catch (error) {
        const isLost = isLostConnection(error) || (isOpen && this.#connection !== connection);
        if (!isLost || tries >= (isClosedConnection(error) ? MAX_STARTS : 2)) throw asKeyStoreError(error);
        this.#letGo(connection);
      }
    }
  }

  /** Closes the connection for good. */
  close(): void {
    this.#isClosed = true;
    this.release();
  }

  /** Closes the connection once its transactions are done. The next transaction opens another. */
  release(): void {
    if (this.#connection !== undefined) this.#letGo(this.#connection);
  }

  async #open(): Promise<Connection> {
    const { clock, onReset, upgrades = UPGRADES } = this.#options;
    // #connection must hold this promise before anything can fail.
    await Promise.resolve();
    const connection = this.#connection;
    try {
      const database = await openDatabase(this.#name, upgrades, clock);
      const lost = (): void => {
        // Must close at once: after this event, an open connection blocks the tab that upgrades or deletes.
        database.close();
        if (connection !== undefined) this.#letGo(connection);
      };
      database.onclose = lost;
      database.onversionchange = lost;
      const generation = await readGeneration(database, clock).catch((error: unknown) => {
        database.close();
        throw error;
      });
      const before = this.#generation;
      this.#generation = generation;
      if (before !== undefined && before !== generation) {
        onReset("The database was deleted, or the site's data cleared, while the page was running.");
      }
      return { database, generation };
    } catch (error) {
      if (this.#connection === connection) this.#connection = undefined;
      throw error;
    }
  }

  #letGo(connection: Promise<Connection>): void {
    if (this.#connection === connection) {
      this.#connection = undefined;
      this.#options.onLost();
    }
    connection.then(({ database }) => database.close()).catch(() => undefined);
  }
}
