import { deriveKey, destroyNamespace, KeyStoreError, NASKeyStore, type KeyStoreEvents } from "nas-keystore";
import type { DemoSettings } from "./settings.ts";

/** Without `change`, of which there may be thousands: see `watch`. */
type EventName = Exclude<keyof KeyStoreEvents, "change">;

/** Any event of the store that the page logs. */
export type StoreEvent = { [E in EventName]: { type: E; detail: KeyStoreEvents[E] } }[EventName];

/** Settings with the passphrase, which is kept in memory only. "" means no encryption. */
export interface SessionSettings extends DemoSettings {
  readonly passphrase: string;
}

const EVENTS: readonly EventName[] = ["published", "rejected", "offline", "online", "corrupt", "conflict", "reset"];

const PULL_EVERY_MS = 5_000;

/** The open store. New settings replace it by another one. */
export class Session {
  readonly #onEvent: (event: StoreEvent) => void;
  readonly #onChange: () => void;
  #settings: SessionSettings | undefined;
  #store: NASKeyStore | undefined;

  /** @param onChange called for each change of an entry, also by other tabs */
  constructor(onEvent: (event: StoreEvent) => void, onChange: () => void) {
    this.#onEvent = onEvent;
    this.#onChange = onChange;
  }

  /** @throws Error while no store is open, because the settings were refused */
  get store(): NASKeyStore {
    if (this.#store === undefined) throw new Error("No store is open. Correct the settings above.");
    return this.#store;
  }

  get isOpen(): boolean {
    return this.#store !== undefined;
  }

  /** Whether the open store is in durable mode. */
  get isDurable(): boolean {
    return this.isOpen && this.#settings?.durable === true;
  }

  isCurrent(store: NASKeyStore): boolean {
    return store === this.#store;
  }

  /**
   * Opens a store, then closes the previous one.
   * @throws KeyStoreError INVALID_OPTION; then nothing has changed
   */
  async open(settings: SessionSettings): Promise<void> {
    const { server, namespace, durable, passphrase } = settings;
    const store = new NASKeyStore({
      servers: server,
      namespace,
      durable: durable && { pullEveryMs: PULL_EVERY_MS },
      ...(passphrase === "" ? undefined : { encryption: { key: () => deriveKey(passphrase, `nas-keystore demo ${namespace}`) } }),
    });
    for (const type of EVENTS) {
      store.addEventListener(type, ({ detail }) => {
        if (this.isCurrent(store)) this.#onEvent({ type, detail } as StoreEvent);
      });
    }
    store.watch("*", this.#onChange);
    const former = this.#store;
    this.#store = store;
    this.#settings = settings;
    await former?.close();
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
    }
  }
}
