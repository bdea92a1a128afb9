import type { TabMessage } from "../tabs/messages.ts";

/** A BroadcastChannel in memory: what is posted reaches every other channel of the name in the next turn of the event loop. */
export class FakeChannel extends EventTarget {
  static #open = new Set<FakeChannel>();
  static #lastDelivery: Promise<void> = Promise.resolve();
  static readonly #watchers = new Set<(message: TabMessage) => void>();
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

  /** Resolves when a message is posted for which `matches` returns true. */
  static posted(matches: (message: TabMessage) => boolean): Promise<void> {
    return new Promise((resolve) => {
      const watcher = (message: TabMessage): void => {
        if (!matches(message)) return;
        FakeChannel.#watchers.delete(watcher);
        resolve();
      };
      FakeChannel.#watchers.add(watcher);
    });
  }

  postMessage(message: unknown): void {
    if (!FakeChannel.#open.has(this)) throw new DOMException("The channel is closed.", "InvalidStateError");
    for (const watcher of FakeChannel.#watchers) watcher(message as TabMessage);
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
