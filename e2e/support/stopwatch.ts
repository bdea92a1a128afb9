import { expect } from "@playwright/test";

/** How long a call took. */
export interface Timing {
  elapsedMs: number;
  /** How much of that IndexedDB was at work, or the page's thread was busy or not given the processor. */
  localMs: number;
}

/** What a call came to, and when. */
export interface Timed<T> extends Timing {
  value?: T;
  /** The code, or else the message, of what it rejected with. */
  error?: string;
}

export interface Stopwatch {
  time<T>(work: () => Promise<T>): Promise<Timed<T>>;
  /** The page's WebSockets that are neither closed nor being closed, by state. */
  openSockets(): { connecting: number; open: number };
}

/** DESIGN 4: what depends on the network ends within `timeoutMs` + 100 ms. What does not is left out. */
export function expectInTime(timing: Timing, timeoutMs: number, what: string): void {
  const networkMs = timing.elapsedMs - timing.localMs;
  expect(
    networkMs,
    `${what}: ${Math.round(timing.elapsedMs)} ms, ${Math.round(timing.localMs)} of them local`,
  ).toBeLessThanOrEqual(timeoutMs + 100);
}

/** Runs in the page before anything else there, so it must refer to nothing outside itself. Puts `stopwatch` there. */
export function installStopwatch(): void {
  let localMs = 0;
  let underWay = 0;
  let since = 0;
  const begin = (): void => {
    if (underWay++ === 0) since = performance.now();
  };
  const end = (): void => {
    if (--underWay === 0) localMs += performance.now() - since;
  };

  const startTransaction = IDBDatabase.prototype.transaction;
  IDBDatabase.prototype.transaction = function (...args) {
    const transaction = startTransaction.apply(this, args);
    begin();
    for (const type of ["complete", "abort"]) transaction.addEventListener(type, end, { once: true });
    return transaction;
  };
  const openDatabase = IDBFactory.prototype.open;
  IDBFactory.prototype.open = function (...args) {
    const request = openDatabase.apply(this, args);
    begin();
    for (const type of ["success", "error"]) request.addEventListener(type, end, { once: true });
    return request;
  };

  // A timer that is late tells of a thread that was busy, or did not get the processor.
  const TICK_MS = 5;
  let lastTick = performance.now();
  setInterval(() => {
    const now = performance.now();
    if (underWay === 0) localMs += Math.max(0, now - Math.max(lastTick, since) - TICK_MS);
    lastTick = now;
  }, TICK_MS);

  const sockets: WebSocket[] = [];
  const Native = WebSocket;
  globalThis.WebSocket = class extends Native {
    constructor(url: string | URL, protocols?: string | string[]) {
      super(url, protocols);
      sockets.push(this);
    }
  };

  globalThis.stopwatch = {
    time: async (work) => {
      const localSoFar = (): number => localMs + (underWay > 0 ? performance.now() - since : 0);
      const start = performance.now();
      const localBefore = localSoFar();
      const timing = (): Timing => ({ elapsedMs: performance.now() - start, localMs: localSoFar() - localBefore });
      try {
        const value = await work();
        return { value, ...timing() };
      } catch (error) {
        return { error: String((error as { code?: string }).code ?? error), ...timing() };
      }
    },
    openSockets: () => ({
      connecting: sockets.filter(({ readyState }) => readyState === Native.CONNECTING).length,
      open: sockets.filter(({ readyState }) => readyState === Native.OPEN).length,
    }),
  };
}
