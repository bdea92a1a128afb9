import type fc from "fast-check";
import { expect } from "vitest";

import type { NASKeyStore } from "../key-store.ts";
import type { Envelope } from "../model/envelope.ts";
import type { KeyFormat } from "../model/metadata.ts";
import { KeyStoreError } from "../util/errors.ts";
import type { FakeLocks } from "./fake-locks.ts";
import type { FakeNats } from "./fake-nats.ts";
import { GroupingClock } from "./fake-clock.ts";

/** What a store of one tab holds, as plain data; the rules are those of DESIGN 2 and 3. */
export interface Model {
  entries: Map<string, Entry>;
  /** The newest write of a key that may still wait. While the server is up, it may be on its way. */
  pending: Map<string, { version: number; operation: "store" | "delete" }>;
  /** Of a key that expired confirmed and may not be removed yet: its version. */
  remains: Map<string, number>;
  /** Every commit of a key, in order. */
  history: Map<string, Commit[]>;
  server: "up" | "down" | "mute";
  /** An attempt may have failed since the server was seen last: writes may be queued without another one. */
  mayBeOffline: boolean;
  now: number;
}

export interface Entry {
  value: unknown;
  format: KeyFormat;
  version: number;
  ttl: number | null;
  expiresAt: number;
  tags: readonly string[];
}

export interface Commit {
  operation: "store" | "delete";
  version: number;
  /** Of a store. */
  value?: unknown;
}

export interface Real {
  store: NASKeyStore;
  nats: FakeNats;
  locks: FakeLocks;
  open(): NASKeyStore;
}

export type Command = fc.AsyncCommand<Model, Real>;

/** After a command: nothing goes on in the background, and what waits is what the model says. */
export async function agree(model: Model, { store, nats, locks }: Real): Promise<void> {
  // Drains that have begun have asked for their lock by then.
  await store.pendingWrites();
  await locks.free("nas-keystore/model/drain");
  const actual = new Map((await store.pendingWrites()).map((write) => [write.key, write]));
  for (const [key, write] of actual) {
    expect(write.rejected).toBe(false);
    const { version, operation } = write;
    expect({ key, version, operation }, "a write that waits").toEqual({ key, ...model.pending.get(key) });
  }
  for (const key of model.pending.keys()) {
    if (actual.has(key)) continue;
    // Only a server that answers takes a write off the queue, and it has heard it.
    expect(model.server, `${key} no longer waits`).toBe("up");
    expect(isSame(nats.of(key).at(-1), newestOf(model, key)), `the last message of ${key} is its newest write`).toBe(true);
    confirmed(model, key);
  }
}

export function confirmed(model: Model, key: string): void {
  model.pending.delete(key);
}

export function newestOf(model: Model, key: string): Commit | undefined {
  return model.history.get(key)?.at(-1);
}

export function isSame(envelope: Envelope | undefined, commit: Commit | undefined): boolean {
  if (envelope === undefined || commit === undefined || envelope.operation !== commit.operation) return false;
  if (envelope.operation === "delete") return envelope.version === commit.version;
  return envelope.metadata.version === commit.version && envelope.value.includes(String(marker(commit.value)));
}

/** Every value has a number in it that no other has, and that can be read on the wire. */
export function marker(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (value instanceof Map) return value.get("n");
  return typeof value === "object" ? (value as { n: number }).n : value;
}

export function valueOf(format: KeyFormat, n: number): unknown {
  switch (format) {
    case "json":
      return { n, of: ["json"] };
    case "text":
      return `text ${n}`;
    case "binary":
      return new TextEncoder().encode(`bytes ${n}`);
    case "structured":
      return new Map<string, unknown>([
        ["n", n],
        ["at", new Date(n)],
      ]);
  }
}

export function live(model: Model, key: string): Entry | undefined {
  const entry = model.entries.get(key);
  return entry !== undefined && entry.expiresAt > model.now ? entry : undefined;
}

/** The clock has moved, or a write looks: what has expired is absent from now on, whatever the clock says later. */
export function expire(model: Model): void {
  for (const [key, entry] of model.entries) {
    if (entry.expiresAt > model.now) continue;
    model.entries.delete(key);
    model.remains.set(key, entry.version);
  }
}

/** Checks the version that the next write of the key got. One of a key without a row continues above all that the key ever had. */
export function nextVersion(model: Model, key: string, version = 0): number {
  const current = live(model, key)?.version ?? model.pending.get(key)?.version;
  if (current !== undefined) expect(version, `the version of ${key}`).toBe(current + 1);
  expect(version, `the version of ${key}`).toBeGreaterThan(newestOf(model, key)?.version ?? 0);
  return version;
}

/** The version of a key that has just been stored. */
export async function versionOf({ store }: Real, key: string): Promise<number> {
  return (await store.getMetadata(key))?.version ?? 0;
}

export function commit(model: Model, key: string, made: Commit, entry: Entry | undefined): void {
  if (entry === undefined) model.entries.delete(key);
  else model.entries.set(key, entry);
  model.remains.delete(key);
  model.pending.set(key, { version: made.version, operation: made.operation });
  const history = model.history.get(key) ?? [];
  history.push(made);
  model.history.set(key, history);
}

/** What a write resolves to must agree with the server: `true` when it has read the newest version. */
export function acknowledged(model: Model, { nats }: Real, key: string, result: boolean): void {
  if (result) {
    expect(model.server, "the server that confirms").toBe("up");
    expect(isSame(nats.of(key).at(-1), newestOf(model, key)), `the server has the newest of ${key}`).toBe(true);
    confirmed(model, key);
  } else if (model.server === "up") {
    expect(model.mayBeOffline, "a write waits though the server answers").toBe(true);
  }
  if (model.server !== "up") model.mayBeOffline = true;
}

export async function outcomeOf<T>(work: () => Promise<T>): Promise<T | string> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof KeyStoreError) return error.code;
    throw error;
  }
}

/** Its wall time is the model's. Only timers see the time that a call waits. */
export class ModelClock extends GroupingClock {
  readonly #model: Pick<Model, "now">;

  constructor(model: Pick<Model, "now">) {
    super();
    this.#model = model;
  }

  override now(): number {
    return this.#model.now;
  }
}
