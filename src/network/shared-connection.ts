import type { Clock, Timer } from "../util/clock.ts";
import { within } from "../util/deadline.ts";
import { asError } from "../util/as-error.ts";
import type { Connection } from "./connection.ts";

export interface SharedConnectionOptions {
  readonly clock: Clock;
  /** The limit for one operation, connecting included. */
  readonly timeoutMs: number;
  /** How long an idle connection stays open. */
  readonly lingerMs: number;
  /** The servers that errors name, if there are several. */
  readonly hosts?: string | undefined;
}

/** Opens a connection. Must begin no other attempt once `isUnwanted` is true. */
export type Connect = (isUnwanted: () => boolean) => Promise<Connection>;

export interface SharedConnectionListener {
  connected(connection: Connection): void;
  /** An attempt to connect failed or is overdue. Called once per attempt. */
  unreachable(error: Error): void;
}

/** One operation's use of the connection. Must be released. */
export interface ConnectionUse {
  /** The operation must end by then, as `clock.monotonic()` counts. */
  readonly deadline: number;
  /** Rejects when no connection is open by the deadline. The attempt to open it may continue. */
  connect(): Promise<Connection>;
  release(): void;
  /** Closes the connection for all operations, because it does not work. */
  discard(): void;
}

/** One connection, from the attempt to open it to its end. */
interface ConnectionState {
  readonly opening: Promise<Connection>;
  /** The deadline of the uses that begin while the connection is being opened. */
  readonly dueAt: number;
  isOpen: boolean;
  isClosing: boolean;
  uses: number;
  lingering?: Timer;
}

/**
 * One connection for the operations in flight: the first use opens it, and it closes when the last use is released. Must
 * never have two attempts to connect at the same time: browsers delay a host's handshakes while others are pending.
 */
export class SharedConnection {
  readonly #connect: Connect;
  readonly #listener: SharedConnectionListener;
  readonly #options: SharedConnectionOptions;
  /** The connection that new uses get. */
  #current: ConnectionState | undefined;
  readonly #closing = new Set<Promise<void>>();

  constructor(connect: Connect, listener: SharedConnectionListener, options: SharedConnectionOptions) {
    this.#connect = connect;
    this.#listener = listener;
    this.#options = options;
  }

  acquire(): ConnectionUse {
    const state = (this.#current ??= this.#open());
    state.uses++;
    state.lingering?.cancel();

    const { clock, timeoutMs, hosts } = this.#options;
    const now = clock.monotonic();
    const deadline = !state.isOpen && now < state.dueAt ? state.dueAt : now + timeoutMs;
    let isReleased = false;
    return {
      deadline,
      connect: () => byDeadline(clock, deadline, state.opening, timeoutMs, hosts),
      release: () => {
        if (!isReleased) state.uses--;
        isReleased = true;
        this.#closeIfIdle(state);
      },
      discard: () => this.#close(state, true),
    };
  }

  /** Closes an idle connection without lingering. Resolves when no connection is left. */
  async close(): Promise<void> {
    if (this.#current !== undefined) this.#closeWhenUnused(this.#current);
    await Promise.all(this.#closing);
  }

  #open(): ConnectionState {
    const { clock, timeoutMs, hosts } = this.#options;
    const opening = this.#connect(() => state.isClosing);
    const state: ConnectionState = { opening, dueAt: clock.monotonic() + timeoutMs, isOpen: false, isClosing: false, uses: 0 };
    let isReported = false;
    const fail = (error: unknown): void => {
      if (isReported) return;
      isReported = true;
      this.#listener.unreachable(asError(error));
    };
    // An overdue attempt counts as failed, though it may still succeed.
    byDeadline(clock, state.dueAt, opening, timeoutMs, hosts).catch(fail);
    opening.then(
      (connection) => {
        state.isOpen = true;
        void connection.ending.then(() => this.#closeWhenUnused(state));
        this.#listener.connected(connection);
        this.#closeIfIdle(state);
      },
      (error: unknown) => {
        if (this.#current === state) this.#current = undefined;
        fail(error);
      },
    );
    return state;
  }

  #closeIfIdle(state: ConnectionState): void {
    if (state.uses > 0 || !state.isOpen) return;
    const { clock, lingerMs } = this.#options;
    if (lingerMs === 0 || this.#current !== state) return this.#closeWhenUnused(state);
    state.lingering?.cancel();
    state.lingering = clock.setTimer(() => this.#closeWhenUnused(state), lingerMs);
  }

  /** New uses get another connection. This one closes when its last use is released. */
  #closeWhenUnused(state: ConnectionState): void {
    if (this.#current === state) this.#current = undefined;
    if (state.uses === 0) this.#close(state);
  }

  #close(state: ConnectionState, isBroken = false): void {
    state.lingering?.cancel();
    if (this.#current === state) this.#current = undefined;
    if (state.isClosing) return;
    state.isClosing = true;
    const closing = state.opening
      .then((connection) => connection.close(isBroken))
      .catch(() => undefined)
      .finally(() => this.#closing.delete(closing));
    // close() does not wait for a pending attempt. If that succeeds later, its connection is closed at once.
    if (state.isOpen) this.#closing.add(closing);
  }
}

/**
 * The promise's outcome if it comes by the deadline.
 * @param deadline as `clock.monotonic()` counts
 * @param timeoutMs the time that the error names
 * @param hosts the servers that the error names, if there are several
 */
export function byDeadline<T>(clock: Clock, deadline: number, promise: Promise<T>, timeoutMs: number, hosts?: string): Promise<T> {
  return within(clock, deadline - clock.monotonic(), promise, () => {
    throw new Error(`${hosts === undefined ? "The server did not answer" : `No server answered at ${hosts}`} within ${timeoutMs} ms.`);
  });
}
