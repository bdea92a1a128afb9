import { createHash } from "node:crypto";

import { afterEach, beforeAll, beforeEach, vi } from "vitest";

import type { KeyStoreEvents } from "../model/events.ts";
import { NASKeyStore } from "../key-store.ts";
import { gzipPart } from "../values/gzip-part.ts";
import { structuredPart } from "../values/formats.ts";
import type { KeyStoreOptions } from "../options/types.ts";
import { loadOncePart } from "../read/load-once-part.ts";
import { durablePart } from "../runtime/durable-part.ts";
import type { Pages } from "../runtime/page.ts";
import { writeSidePart } from "../runtime/runtime.ts";
import type { Clock } from "../util/clock.ts";
import { FakeChannel } from "./fake-channel.ts";
import { GroupingClock, type FakeClock } from "./fake-clock.ts";
import { FakeLocks } from "./fake-locks.ts";
import { FakeNats } from "./fake-nats.ts";
import { useFreshIndexedDB } from "./indexeddb.ts";
import { NOW } from "./rows.ts";

export const NAMESPACE = "test";
export const DATABASE = `nas-keystore/${NAMESPACE}`;

/** The environment of stores: a page with its events, locks and clock, and a server. */
export interface Page {
  readonly nats: FakeNats;
  readonly locks: FakeLocks;
  /** The clock of all its stores. It stands still unless the test moves it. */
  readonly clock: FakeClock;
  /** Of the page: `online`, `pagehide` … */
  readonly events: EventTarget;
  readonly navigator: { onLine: boolean; locks: FakeLocks };
  /** Every further store is one more tab. */
  open(options?: KeyStoreOptions): NASKeyStore;
  /** The stores that this opens share a tab. */
  openTogether(options?: KeyStoreOptions): NASKeyStore;
  /** Resolves when no tab evicts, and the tabs have heard of the evictions that have begun. */
  evicted(): Promise<void>;
  /** Resolves when no tab publishes the outbox. */
  drained(): Promise<void>;
}

/**
 * Every test of the file gets a page of its own; its stores are closed at the end. The progress of a store does not depend on
 * the speed of the machine: no threads, no files, no time but that of the page's clock.
 */
export function usePage(): Page {
  useFreshIndexedDB();
  const stores: NASKeyStore[] = [];
  const page = {} as { -readonly [Name in keyof Page]: Page[Name] };
  beforeAll(preload);
  beforeEach(() => {
    page.nats = new FakeNats();
    page.locks = new FakeLocks();
    page.clock = new GroupingClock();
    // Later than the rows that a test puts into the database.
    page.clock.wallTime = NOW + 60_000;
    page.events = new EventTarget();
    page.navigator = { onLine: true, locks: page.locks };
    const openIn = (tab: Pages, options?: KeyStoreOptions): NASKeyStore => {
      // So long that no call ends by it. A test in which time matters sets less.
      const usual = { namespace: NAMESPACE, connect: page.nats.connect, sweepIntervalMs: 0, timeoutMs: 60_000 };
      const store = openStore({ ...usual, ...options }, page.clock, tab);
      stores.push(store);
      return store;
    };
    const tab: Pages = new Map();
    page.open = (options) => openIn(new Map(), options);
    page.openTogether = (options) => openIn(tab, options);
    page.evicted = async () => {
      // Evictions that have begun have asked for their lock by then.
      await page.clock.advance(0);
      await page.locks.free(`${DATABASE}/evict`);
      await FakeChannel.delivered();
    };
    page.drained = async () => {
      // Drains that have begun have asked for their lock by then.
      await Promise.allSettled(stores.map((store) => store.pendingWrites()));
      await page.locks.free(`${DATABASE}/drain`);
      await FakeChannel.delivered();
    };
    vi.stubGlobal("navigator", page.navigator);
    vi.stubGlobal("addEventListener", page.events.addEventListener.bind(page.events));
    vi.stubGlobal("removeEventListener", page.events.removeEventListener.bind(page.events));
    vi.stubGlobal("BroadcastChannel", FakeChannel);
    hashAtOnce();
  });
  afterEach(async () => {
    page.nats.dialling = "refuses";
    page.nats.answer();
    page.nats.cut();
    page.locks.releaseTaken();
    await Promise.all(stores.splice(0).map((store) => store.close()));
  });
  return page;
}

/** A store with a clock, and in a tab of its own: parameters that the public constructor does not show. */
export function openStore(options: KeyStoreOptions, clock: Clock, tab: Pages = new Map()): NASKeyStore {
  const Store = NASKeyStore as new (options: KeyStoreOptions, clock: Clock, pages: Pages) => NASKeyStore;
  return new Store(options, clock, tab);
}

/** Loads the lazy parts of a store from files, so that no test waits for them. */
export async function preload(): Promise<void> {
  await Promise.all([structuredPart.load(), gzipPart.load(), loadOncePart.load(), writeSidePart.load(), durablePart.load()]);
}

/** Hashes without WebCrypto's threads, whose speed depends on the machine. */
export function hashAtOnce(): void {
  vi.spyOn(crypto.subtle, "digest").mockImplementation(async (_, data) => {
    const hash = createHash("sha256")
      .update(new Uint8Array(data as ArrayBuffer))
      .digest();
    return new Uint8Array(hash).buffer;
  });
}

/** All but `change`. */
const EVENTS: readonly (keyof KeyStoreEvents)[] = ["published", "rejected", "offline", "online", "corrupt", "reset"];

interface Heard {
  readonly type: string;
  readonly detail: object;
}

/** The events of a store from now on. */
export function listen(store: NASKeyStore): Heard[] {
  const heard: Heard[] = [];
  for (const type of EVENTS) store.addEventListener(type, ({ detail }) => heard.push({ type, detail }));
  return heard;
}

/** The detail of the next event of a store. */
export function event<Type extends keyof KeyStoreEvents>(store: NASKeyStore, type: Type): Promise<KeyStoreEvents[Type]> {
  return new Promise((resolve) => store.addEventListener(type, ({ detail }) => resolve(detail), { once: true }));
}

/** Resolves when a store announces to other tabs that it has committed this version of a key. */
export function committed(key: string, version: number): Promise<void> {
  return FakeChannel.posted(
    (message) =>
      message.type === "changes" &&
      message.changes.some((change) => "version" in change && change.key === key && change.version === version),
  );
}
