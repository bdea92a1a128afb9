import { systemClock } from "../util/clock.ts";
import { within } from "../util/deadline.ts";
import { asError } from "../util/errors.ts";
import type { Connection } from "./connection.ts";

/** Told how it goes with the network. */
export interface Health {
  /** A connection was opened. */
  connected(connection: Connection): void;
  /** No connection could be opened: nobody need try again before long. */
  unreachable(error: Error): void;
  /** The server has read what was sent. */
  worked(): void;
  /** A connection that was open did not do its work. */
  broken(error: Error): void;
}

export interface SharedConnectionOptions {
  /** An operation waits so long for the connection. */
  readonly timeoutMs: number;
  /** How long an idle connection stays open. */
  readonly lingerMs: number;
}

/** A share in the connection. Must be released. */
export interface ConnectionUse {
  /** By when what is done with it is to have ended, as `performance.now()` tells time. */
  readonly deadline: number;
  /** Rejects when there is no connection by the deadline; the attempt to open it may go on. */
  connect(): Promise<Connection>;
  release(): void;
  /** Ends the connection for everyone: it does not do what it should. */
  discard(): void;
}

/** One connection, from the attempt to open it to its end. */
interface Line {
  readonly opening: Promise<Connection>;
  /** By then the connection must be open, for those who wait since it was begun. */
  readonly dueAt: number;
  isOpen: boolean;
  isEnding: boolean;
  users: number;
  lingering?: ReturnType<typeof setTimeout>;
}

/**
 * A connection for as long as something needs it: opened by the first share, used by all at the same time, closed when
 * the last is released. Must never have two attempts under way: browsers hold a host's handshakes back.
 */
export class SharedConnection {
  readonly #dial: () => Promise<Connection>;
  readonly #health: Pick<Health, "connected" | "unreachable">;
  readonly #options: SharedConnectionOptions;
  /** The connection that new shares are in. */
  #line: Line | undefined;
  /** Connections on their way out. */
  readonly #closing = new Set<Promise<void>>();

  constructor(dial: () => Promise<Connection>, health: Pick<Health, "connected" | "unreachable">, options: SharedConnectionOptions) {
    this.#dial = dial;
    this.#health = health;
    this.#options = options;
  }

  acquire(): ConnectionUse {
    const line = (this.#line ??= this.#open());
    line.users++;
    clearTimeout(line.lingering);

    const { timeoutMs } = this.#options;
    const now = performance.now();
    const deadline = !line.isOpen && now < line.dueAt ? line.dueAt : now + timeoutMs;
    let released = false;
    return {
      deadline,
      connect: () => byDeadline(deadline, line.opening, timeoutMs),
      release: () => {
        if (!released) line.users--;
        released = true;
        this.#closeIfIdle(line);
      },
      discard: () => this.#end(line),
    };
  }

  /** Closes an idle connection without lingering, and resolves when none is left. */
  async close(): Promise<void> {
    const line = this.#line;
    if (line !== undefined) this.#retire(line);
    await Promise.all(this.#closing);
  }

  #open(): Line {
    const opening = this.#dial();
    const line: Line = { opening, dueAt: performance.now() + this.#options.timeoutMs, isOpen: false, isEnding: false, users: 0 };
    let reported = false;
    const fail = (error: unknown): void => {
      if (reported) return;
      reported = true;
      this.#health.unreachable(asError(error));
    };
    // An attempt that is overdue counts as failed, though it may still succeed.
    byDeadline(line.dueAt, opening, this.#options.timeoutMs).catch(fail);
    opening.then(
      (connection) => {
        line.isOpen = true;
        void connection.ending.then(() => this.#retire(line));
        this.#health.connected(connection);
        this.#closeIfIdle(line);
      },
      (error: unknown) => {
        if (this.#line === line) this.#line = undefined;
        fail(error);
      },
    );
    return line;
  }

  #closeIfIdle(line: Line): void {
    if (line.users > 0 || !line.isOpen) return;
    if (this.#options.lingerMs === 0 || this.#line !== line) return this.#retire(line);
    clearTimeout(line.lingering);
    line.lingering = setTimeout(() => this.#retire(line), this.#options.lingerMs);
  }

  /** New shares get another connection; this one ends when nobody uses it any more. */
  #retire(line: Line): void {
    if (this.#line === line) this.#line = undefined;
    if (line.users === 0) this.#end(line);
  }

  #end(line: Line): void {
    clearTimeout(line.lingering);
    if (this.#line === line) this.#line = undefined;
    if (line.isEnding) return;
    line.isEnding = true;
    const closing = line.opening
      .then((connection) => connection.close())
      .catch(() => undefined)
      .finally(() => this.#closing.delete(closing));
    // Nobody waits for an attempt that may go on for long; what it opens is closed at once.
    if (line.isOpen) this.#closing.add(closing);
  }
}

/**
 * The promise's outcome if it comes by the deadline.
 * @throws Error that says how long nothing came
 */
export function byDeadline<T>(deadline: number, promise: Promise<T>, timeoutMs: number): Promise<T> {
  return within(systemClock, deadline - performance.now(), promise, () => {
    throw new Error(`The server did not answer within ${timeoutMs} ms.`);
  });
}
