import { afterEach, beforeEach, vi } from "vitest";

import type { KeyStoreEvents } from "../events.ts";
import { NASKeyStore } from "../key-store.ts";
import type { KeyStoreOptions } from "../options.ts";
import { FakeLocks } from "./fake-locks.ts";
import { FakeNats } from "./fake-nats.ts";
import { useFreshIndexedDB } from "./indexeddb.ts";

export const NAMESPACE = "test";
export const DATABASE = `nas-keystore/${NAMESPACE}`;

/** What stores run in: a page with its events and locks, and a server. */
export interface Page {
  readonly nats: FakeNats;
  readonly locks: FakeLocks;
  /** Of the page: `online`, `pagehide` … */
  readonly events: EventTarget;
  readonly navigator: { onLine: boolean; locks: FakeLocks };
  /** Every further store is one more tab. */
  open(options?: KeyStoreOptions): NASKeyStore;
}

/** Every test of the file gets a page of its own; its stores are closed at the end. */
export function usePage(): Page {
  useFreshIndexedDB();
  const stores: NASKeyStore[] = [];
  const page = {} as { -readonly [Name in keyof Page]: Page[Name] };
  beforeEach(() => {
    page.nats = new FakeNats();
    page.locks = new FakeLocks();
    page.events = new EventTarget();
    page.navigator = { onLine: true, locks: page.locks };
    page.open = (options) => {
      const store = new NASKeyStore({ namespace: NAMESPACE, connect: page.nats.connect, sweepIntervalMs: 0, ...options });
      stores.push(store);
      return store;
    };
    vi.stubGlobal("navigator", page.navigator);
    vi.stubGlobal("addEventListener", page.events.addEventListener.bind(page.events));
  });
  afterEach(async () => {
    vi.useRealTimers();
    page.nats.dialling = "refuses";
    page.nats.answer();
    page.nats.cut();
    await Promise.all(stores.splice(0).map((store) => store.close()));
  });
  return page;
}

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

/** Lets everything happen that needs no timer. */
export async function turns(count = 60): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise(setImmediate);
}

/** Waits for what takes real work (hashing, say) but no set time. */
export async function until(holds: () => unknown): Promise<void> {
  for (let turn = 0; turn < 20_000; turn++) {
    if (await holds()) return;
    await new Promise(setImmediate);
  }
  throw new Error(`It never happened: ${holds.toString()}`);
}

/** Timers stand still from now on but in `elapse`. */
export function stopTime(): void {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "performance"] });
}

/** Lets time go by, with room for what happens at its moments. */
export async function elapse(ms: number, stepMs = 50): Promise<void> {
  for (let passed = 0; passed < ms; passed += stepMs) {
    await vi.advanceTimersByTimeAsync(stepMs);
    for (let round = 0; round < 2; round++) {
      await turns(10);
      // Hashing happens in threads of its own: what was begun before this is done after it.
      await crypto.subtle.digest("SHA-256", new Uint8Array(1));
    }
  }
}
