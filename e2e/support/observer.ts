/** The result of a call. */
export interface Outcome<T> {
  value?: T;
  /** The code, or else the message, of the error that it rejected with. */
  error?: string;
}

export interface Observer {
  outcome<T>(work: () => Promise<T>): Promise<Outcome<T>>;
  /** Counts the page's WebSockets that are neither closed nor closing. */
  openSockets(): { connecting: number; open: number };
}

/** Puts `observer` into a page. Runs in the page before any other script. Must refer to nothing outside itself. */
export function installObserver(): void {
  const sockets: WebSocket[] = [];
  const Native = WebSocket;
  globalThis.WebSocket = class extends Native {
    constructor(url: string | URL, protocols?: string | string[]) {
      super(url, protocols);
      sockets.push(this);
    }
  };

  globalThis.observer = {
    outcome: async (work) => {
      try {
        return { value: await work() };
      } catch (error) {
        return { error: String((error as { code?: string }).code ?? error) };
      }
    },
    openSockets: () => ({
      connecting: sockets.filter(({ readyState }) => readyState === Native.CONNECTING).length,
      open: sockets.filter(({ readyState }) => readyState === Native.OPEN).length,
    }),
  };
}
