/** A BroadcastChannel in memory: what is posted reaches every other channel of the name in the next turn of the event loop. */
export class FakeChannel extends EventTarget {
  static #open = new Set<FakeChannel>();
  static #lastDelivery: Promise<void> = Promise.resolve();
  readonly name: string;
  onmessage: ((event: MessageEvent) => void) | null = null;

  constructor(name: string) {
    super();
    this.name = name;
    FakeChannel.#open.add(this);
  }

  /** How many channels of a name are open. */
  static openOn(name: string): number {
    return [...FakeChannel.#open].filter((channel) => channel.name === name).length;
  }

  /** Resolves when every message posted so far is delivered. */
  static delivered(): Promise<void> {
    return FakeChannel.#lastDelivery;
  }

  postMessage(message: unknown): void {
    if (!FakeChannel.#open.has(this)) throw new DOMException("The channel is closed.", "InvalidStateError");
    const data: unknown = structuredClone(message);
    const others = [...FakeChannel.#open].filter((other) => other !== this && other.name === this.name);
    FakeChannel.#lastDelivery = new Promise((resolve) =>
      setImmediate(() => {
        for (const other of others) if (FakeChannel.#open.has(other)) other.onmessage?.(new MessageEvent("message", { data }));
        resolve();
      }),
    );
  }

  close(): void {
    FakeChannel.#open.delete(this);
  }
}
