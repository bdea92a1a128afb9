import { destroyNamespace, KeyStoreError, NASKeyStore, type KeyStoreEvents } from "nas-keystore";
import type { DemoSettings } from "./settings.ts";

/** An event of the store, whichever it is. */
export type StoreEvent = { [E in keyof KeyStoreEvents]: { type: E; detail: KeyStoreEvents[E] } }[keyof KeyStoreEvents];

const EVENTS: readonly (keyof KeyStoreEvents)[] = ["published", "rejected", "offline", "online", "corrupt", "reset"];

/** The store that the page works on, which other settings replace by another one. */
export class Session {
  readonly #onEvent: (event: StoreEvent) => void;
  readonly #onTold: () => void;
  #settings: DemoSettings | undefined;
  #store: NASKeyStore | undefined;
  /** Other tabs of this page are told of every write, so that they need not be looked at to be up to date. */
  #tabs: BroadcastChannel | undefined;

  constructor(onEvent: (event: StoreEvent) => void, onTold: () => void) {
    this.#onEvent = onEvent;
    this.#onTold = onTold;
  }

  /** @throws Error while no store is open, because the settings were refused */
  get store(): NASKeyStore {
    if (this.#store === undefined) throw new Error("No store is open: correct the settings above.");
    return this.#store;
  }

  get isOpen(): boolean {
    return this.#store !== undefined;
  }

  isCurrent(store: NASKeyStore): boolean {
    return store === this.#store;
  }

  /**
   * Opens a store; the one before is closed once that worked.
   * @throws KeyStoreError INVALID_OPTION, and nothing has changed
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
    this.#tabs.addEventListener("message", this.#onTold);
    await former?.close();
  }

  tellOtherTabs(): void {
    this.#tabs?.postMessage("written");
  }

  /** Deletes the namespace, pending writes included, and opens it anew. */
  async destroy(): Promise<void> {
    const settings = this.#settings;
    if (settings === undefined) throw new KeyStoreError("CLOSED", "No store is open.");
    await this.store.close();
    try {
      await destroyNamespace(settings.namespace);
    } finally {
      await this.open(settings);
      this.tellOtherTabs();
    }
  }
}
