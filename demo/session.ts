import { destroyNamespace, KeyStoreError, NASKeyStore, type KeyStoreEvents } from "nas-keystore";
import type { DemoSettings } from "./settings.ts";

/** Any event of the store. */
export type StoreEvent = { [E in keyof KeyStoreEvents]: { type: E; detail: KeyStoreEvents[E] } }[keyof KeyStoreEvents];

const EVENTS: readonly (keyof KeyStoreEvents)[] = ["published", "rejected", "offline", "online", "corrupt", "reset"];

/** The open store. New settings replace it by another one. */
export class Session {
  readonly #onEvent: (event: StoreEvent) => void;
  readonly #onNotified: () => void;
  #settings: DemoSettings | undefined;
  #store: NASKeyStore | undefined;
  /** Announces each write to other tabs of the demo, so that they refresh while hidden. */
  #tabs: BroadcastChannel | undefined;

  constructor(onEvent: (event: StoreEvent) => void, onNotified: () => void) {
    this.#onEvent = onEvent;
    this.#onNotified = onNotified;
  }

  /** @throws Error while no store is open, because the settings were refused */
  get store(): NASKeyStore {
    if (this.#store === undefined) throw new Error("No store is open. Correct the settings above.");
    return this.#store;
  }

  get isOpen(): boolean {
    return this.#store !== undefined;
  }

  isCurrent(store: NASKeyStore): boolean {
    return store === this.#store;
  }

  /**
   * Opens a store, then closes the previous one.
   * @throws KeyStoreError INVALID_OPTION; then nothing has changed
   */
  async open(settings: DemoSettings): Promise<void> {
    const store = new NASKeyStore({ servers: settings.server, namespace: settings.namespace });
    for (const type of EVENTS) {
      store.addEventListener(type, ({ detail }) => {
        if (this.isCurrent(store)) this.#onEvent({ type, detail } as StoreEvent);
      });
    }
    const former = this.#store;
    this.#store = store;
    this.#settings = settings;
    this.#tabs?.close();
    this.#tabs = new BroadcastChannel(`nas-keystore-demo/${settings.namespace}`);
    this.#tabs.addEventListener("message", this.#onNotified);
    await former?.close();
  }

  notifyOtherTabs(): void {
    this.#tabs?.postMessage("written");
  }

  /** Deletes the namespace, pending writes included, and opens it again. */
  async destroy(): Promise<void> {
    const settings = this.#settings;
    if (settings === undefined) throw new KeyStoreError("CLOSED", "No store is open.");
    await this.store.close();
    try {
      await destroyNamespace(settings.namespace);
    } finally {
      await this.open(settings);
      this.notifyOtherTabs();
    }
  }
}
