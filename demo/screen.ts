import type { KeyMetadata, NASKeyStore } from "nas-keystore";
import { coalesce } from "./coalesce.ts";
import { ConnectionIndicator } from "./connection.ts";
import { Details } from "./details.ts";
import { EntryList, type Filter } from "./entry-list.ts";
import { EventLog } from "./event-log.ts";
import { Figures } from "./figures.ts";
import { Notice } from "./notice.ts";
import { Outbox } from "./outbox.ts";
import { describeError } from "./input.ts";
import { Session, type SessionSettings, type StoreEvent } from "./session.ts";

const MAX_ROWS = 200;
const TICK_MS = 250;
/** While writes are pending, the page refreshes this often: another tab may publish them, which changes no entry. */
const PENDING_MS = 1000;
/** After a failed ping, the `offline` event follows within this time, or not at all. */
const OFFLINE_EVENT_MS = 500;

/** The result of a ping. */
export interface Answer {
  readonly ms: number;
  /** Undefined when the server answered. */
  readonly failure?: string;
}

/** Everything that the page shows of the store, and the one function that updates it. */
export class Screen {
  readonly details = new Details();
  readonly #list = new EntryList(
    (key) => void this.show(key),
    () => void this.refresh(),
  );
  readonly #outbox = new Outbox();
  readonly #figures = new Figures();
  readonly #log = new EventLog();
  readonly #connection = new ConnectionIndicator();
  readonly #session = new Session(
    (event) => this.#onEvent(event),
    () => (this.#refreshAt = 0),
  );
  readonly notices = {
    settings: new Notice("settings-notice"),
    write: new Notice("write-notice"),
    keys: new Notice("keys-notice"),
    details: new Notice("details-notice"),
    outbox: new Notice("outbox-notice"),
    figures: new Notice("figures-notice"),
  };
  /** The time of the next refresh. 0: at the next tick, so that many changes cause one. */
  #refreshAt = Infinity;
  /** Receives the reason of the next `offline` event. */
  #onOffline: (why: string) => void = () => undefined;
  /** The last refresh failed, and its error is shown below the keys. */
  #refreshFailed = false;

  /** Shows the current state of the store. */
  readonly refresh = coalesce(() => this.#refresh());

  constructor() {
    setInterval(() => this.#tick(Date.now()), TICK_MS);
  }

  /** @throws Error while no store is open, because the settings were refused */
  get store(): NASKeyStore {
    return this.#session.store;
  }

  get filter(): Filter {
    return this.#list.filter;
  }

  get isDurable(): boolean {
    return this.#session.isDurable;
  }

  /** @throws KeyStoreError INVALID_OPTION; then nothing has changed */
  async open(settings: SessionSettings): Promise<void> {
    try {
      await this.#session.open(settings);
    } catch (error) {
      if (!this.#session.isOpen) this.#connection.closed();
      throw error;
    }
    this.#deselect();
    this.#clearNotices();
    this.#connection.unknown();
    await this.refresh();
    // The indicator shows the result.
    void this.ping().catch(() => undefined);
  }

  /** Deletes the namespace and opens it again. */
  async destroy(): Promise<void> {
    this.#deselect();
    await this.#session.destroy();
    this.#clearNotices();
    await this.refresh();
  }

  async ping(): Promise<Answer> {
    const { store } = this;
    const began = performance.now();
    const why = new Promise<string>((resolve) => (this.#onOffline = resolve));
    const answered = await store.ping();
    const ms = Math.round(performance.now() - began);
    if (this.#session.isCurrent(store)) this.#connection[answered ? "online" : "offline"]();
    if (answered) return { ms };
    const unknown = new Promise<string>((resolve) => setTimeout(resolve, OFFLINE_EVENT_MS, "The server did not answer."));
    return { ms, failure: await Promise.race([why, unknown]) };
  }

  /** Selects a key and shows its value. */
  async show(key: string): Promise<void> {
    this.notices.details.clear();
    this.#list.select(key);
    try {
      await this.details.select(this.store, key);
    } catch (error) {
      this.notices.details.fail(error);
    }
    await this.refresh();
  }

  /**
   * For a control that its own action may remove: the focus would move to the start of the page.
   * @returns to be called after the action
   */
  keepFocusOf(control: HTMLElement): () => void {
    // With a pointer, the page does not scroll.
    const preventScroll = !control.matches(":focus-visible");
    return () => this.#list.takeLostFocus({ preventScroll });
  }

  /** Updates the page after a write of a key, or after an operation on many entries. */
  async afterWrite(key?: string): Promise<void> {
    for (const notice of Object.values(this.notices)) notice.overtake(key);
    await (key === undefined ? this.refresh() : this.show(key));
  }

  async #refresh(): Promise<void> {
    let opened: NASKeyStore | undefined;
    this.#refreshAt = Infinity;
    try {
      const store = (opened = this.store);
      const { pattern, tag } = this.#list.filter;
      const keys = await store.listKeys(pattern, tag === "" ? {} : { tag });
      const found = await Promise.all(keys.slice(0, MAX_ROWS).map((key) => store.getMetadata(key)));
      const rows = found.filter((metadata): metadata is KeyMetadata => metadata !== undefined);
      await this.details.refresh(store);
      const [storage, pending] = await Promise.all([store.getStorageStats(), store.pendingWrites()]);
      if (!this.#session.isCurrent(store)) return;
      this.#list.show(rows, keys.length > MAX_ROWS ? keys.length : rows.length, this.isDurable);
      this.#figures.show(store.getCacheStats(), storage);
      this.#outbox.show(pending);
      for (const notice of Object.values(this.notices)) notice.settle(pending);
      const { entry } = this.details;
      const shown = entry === undefined ? rows : [...rows, entry.metadata];
      const expiries = shown.map(({ expiresAt }) => expiresAt?.getTime() ?? Infinity);
      this.#refreshAt = Math.min(this.#refreshAt, pending.length > 0 ? Date.now() + PENDING_MS : Infinity, ...expiries);
      if (this.#refreshFailed) this.notices.keys.clear();
      this.#refreshFailed = false;
    } catch (error) {
      // Another store was opened meanwhile. The next refresh shows it.
      if (opened !== undefined && !this.#session.isCurrent(opened)) return;
      this.#refreshFailed = true;
      this.notices.keys.fail(error);
    }
  }

  #onEvent(event: StoreEvent): void {
    this.#log.add(event);
    if (event.type === "published" || event.type === "online") this.#connection.online();
    if (event.type === "offline") {
      this.#connection.offline();
      this.#onOffline(describeError(event.detail.error));
    }
    void this.refresh();
  }

  #tick(now: number): void {
    this.#list.tick(now);
    this.details.tick(now);
    if (now >= this.#refreshAt) void this.refresh();
  }

  /** The notices are about a store that is closed. */
  #clearNotices(): void {
    for (const notice of Object.values(this.notices)) notice.clear();
  }

  #deselect(): void {
    this.details.deselect();
    this.#list.select(undefined);
  }
}
