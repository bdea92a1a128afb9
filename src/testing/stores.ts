import { createHash } from "node:crypto";

import { afterEach, beforeAll, beforeEach, vi } from "vitest";

import type { KeyStoreEvents } from "../model/events.ts";
import { NASKeyStore } from "../key-store.ts";
import { gzipPart } from "../values/gzip-part.ts";
import { structuredPart } from "../values/formats.ts";
import type { KeyStoreOptions } from "../options/types.ts";
import { writeSidePart } from "../runtime/runtime.ts";
import { FakeChannel } from "./fake-channel.ts";
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

/**
 * Every test of the file gets a page of its own; its stores are closed at the end. The progress of a store depends only on
 * turns of the event loop and on timers, not on the speed of the machine: no threads, no files.
 */
export function usePage(): Page {
  useFreshIndexedDB();
  const stores: NASKeyStore[] = [];
  const page = {} as { -readonly [Name in keyof Page]: Page[Name] };
  beforeAll(preload);
  beforeEach(() => {
    page.nats = new FakeNats();
    page.locks = new FakeLocks();
    page.events = new EventTarget();
    page.navigator = { onLine: true, locks: page.locks };
    page.open = (options) => {
      // So long that no call ends by it. A test in which time matters sets less.
      const usual = { namespace: NAMESPACE, connect: page.nats.connect, sweepIntervalMs: 0, timeoutMs: 60_000 };
      const store = new NASKeyStore({ ...usual, ...options });
      stores.push(store);
      return store;
    };
    vi.stubGlobal("navigator", page.navigator);
    vi.stubGlobal("addEventListener", page.events.addEventListener.bind(page.events));
    vi.stubGlobal("BroadcastChannel", FakeChannel);
    hashAtOnce();
  });
  afterEach(async () => {
    page.nats.dialling = "refuses";
    page.nats.answer();
    page.nats.cut();
    page.locks.releaseTaken();
    await untilClosed(Promise.all(stores.splice(0).map((store) => store.close())));
    vi.useRealTimers();
  });
  return page;
}

/** Loads the lazy parts of a store. How long that takes is not measured in turns of the event loop. */
export async function preload(): Promise<void> {
  await Promise.all([structuredPart.load(), gzipPart.load(), writeSidePart.load()]);
}

/** Hashes without WebCrypto's threads. How long they take is not measured in turns of the event loop. */
export function hashAtOnce(): void {
  vi.spyOn(crypto.subtle, "digest").mockImplementation(async (_, data) => {
    const hash = createHash("sha256")
      .update(new Uint8Array(data as ArrayBuffer))
      .digest();
    return new Uint8Array(hash).buffer;
  });
}

/** Waits until the stores are closed. Fake timers move on meanwhile: a store may wait for one. */
async function untilClosed(closing: Promise<unknown>): Promise<void> {
  let isClosed = false;
  void closing.finally(() => (isClosed = true)).catch(() => undefined);
  for (let passed = 0; vi.isFakeTimers() && !isClosed; passed += 500) {
    if (passed > 600_000) throw new Error("The stores did not close within 10 minutes of fake time.");
    await elapse(500, 500);
  }
  await closing;
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

/** Waits for a condition that takes some turns, or a real timer. Gives up after a minute, enough for a slow machine. */
export async function until(holds: () => unknown): Promise<void> {
  const giveUpAt = process.hrtime.bigint() + 60_000_000_000n;
  while (process.hrtime.bigint() < giveUpAt) {
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
    await turns(20);
  }
}
