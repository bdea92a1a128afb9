import fc from "fast-check";
import { IDBFactory, IDBKeyRange } from "fake-indexeddb";
import { afterEach, describe, expect, it, vi } from "vitest";

import type { Envelope } from "../model/envelope.ts";
import type { KeyFormat } from "../model/metadata.ts";
import { KeyStoreError } from "../util/errors.ts";
import { NASKeyStore } from "../key-store.ts";
import type { StoreOptions } from "../options/types.ts";
import { FakeLocks } from "../testing/fake-locks.ts";
import { FakeNats } from "../testing/fake-nats.ts";
import { LAYOUTS, useBlocks } from "../testing/indexeddb.ts";
import { NOW } from "../testing/rows.ts";
import { hashAtOnce, preload, stopTime, turns } from "../testing/stores.ts";

const isLong = process.env["FAULTS"] === "long";
const RUNS = isLong ? 2_000 : 100;

/** What a store of one tab holds, as plain data; the rules are those of DESIGN 2 and 3. */
interface Model {
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

interface Entry {
  value: unknown;
  format: KeyFormat;
  version: number;
  ttl: number | null;
  expiresAt: number;
  tags: readonly string[];
}

interface Commit {
  operation: "store" | "delete";
  version: number;
  /** Of a store. */
  value?: unknown;
}

interface Real {
  store: NASKeyStore;
  nats: FakeNats;
  open(): NASKeyStore;
}

type Command = fc.AsyncCommand<Model, Real>;

/** Whatever the call needs: turns of the event loop first, and timers only when nothing else goes on. */
async function done<T>(work: () => Promise<T>): Promise<T> {
  const outcome: { settled?: true } = {};
  const running = work().finally(() => (outcome.settled = true));
  running.catch(() => undefined);
  for (let round = 0; outcome.settled === undefined; round++) {
    await turns(10);
    if (round >= 20) await vi.advanceTimersByTimeAsync(100);
    if (round > 400) throw new Error("A call does not settle.");
  }
  return running;
}

/** After a command: nothing goes on in the background, and what waits is what the model says. */
async function agree(model: Model, { store, nats }: Real): Promise<void> {
  // A drain in the background takes many turns, and no timer.
  await turns(model.pending.size > 0 ? 225 : 30);
  const actual = new Map((await done(() => store.pendingWrites())).map((write) => [write.key, write]));
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

function confirmed(model: Model, key: string): void {
  model.pending.delete(key);
}

function newestOf(model: Model, key: string): Commit | undefined {
  return model.history.get(key)?.at(-1);
}

function isSame(envelope: Envelope | undefined, commit: Commit | undefined): boolean {
  if (envelope === undefined || commit === undefined || envelope.operation !== commit.operation) return false;
  if (envelope.operation === "delete") return envelope.version === commit.version;
  return envelope.metadata.version === commit.version && envelope.value.includes(String(marker(commit.value)));
}

/** Every value has a number in it that no other has, and that can be read on the wire. */
function marker(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (value instanceof Map) return value.get("n");
  return typeof value === "object" ? (value as { n: number }).n : value;
}

function valueOf(format: KeyFormat, n: number): unknown {
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

function live(model: Model, key: string): Entry | undefined {
  const entry = model.entries.get(key);
  return entry !== undefined && entry.expiresAt > model.now ? entry : undefined;
}

/** The clock has moved, or a write looks: what has expired is absent from now on, whatever the clock says later. */
function expire(model: Model): void {
  for (const [key, entry] of model.entries) {
    if (entry.expiresAt > model.now) continue;
    model.entries.delete(key);
    model.remains.set(key, entry.version);
  }
}

/** The version that a store of the key gets now. */
function nextVersion(model: Model, key: string): number {
  const current = live(model, key)?.version ?? model.pending.get(key)?.version;
  return current === undefined ? 1 : current + 1;
}

function commit(model: Model, key: string, made: Commit, entry: Entry | undefined): void {
  if (entry === undefined) model.entries.delete(key);
  else model.entries.set(key, entry);
  model.remains.delete(key);
  model.pending.set(key, { version: made.version, operation: made.operation });
  const history = model.history.get(key) ?? [];
  history.push(made);
  model.history.set(key, history);
}

/** What a write resolves to must agree with the server: `true` when it has read the newest version. */
function acknowledged(model: Model, { nats }: Real, key: string, result: boolean): void {
  if (result) {
    expect(model.server, "the server that confirms").toBe("up");
    expect(isSame(nats.of(key).at(-1), newestOf(model, key)), `the server has the newest of ${key}`).toBe(true);
    confirmed(model, key);
  } else if (model.server === "up") {
    expect(model.mayBeOffline, "a write waits though the server answers").toBe(true);
  }
  if (model.server !== "up") model.mayBeOffline = true;
}

async function outcomeOf<T>(work: () => Promise<T>): Promise<T | string> {
  try {
    return await done(work);
  } catch (error) {
    if (error instanceof KeyStoreError) return error.code;
    throw error;
  }
}

/** A command by what it does; its text is what a failure prints. */
function command(text: string, run: (model: Model, real: Real) => Promise<void>): Command {
  return {
    check: () => true,
    run: async (model, real) => {
      // Each command has a moment of its own.
      model.now++;
      expire(model);
      await run(model, real);
      await agree(model, real);
    },
    toString: () => text,
  };
}

const keys = fc.constantFrom("a", "b", "a.b", "ü %");
const formats = fc.constantFrom<KeyFormat>("json", "text", "binary", "structured");
const ttls = fc.constantFrom(undefined, null, 1, 60);
const tags = fc.constantFrom<readonly string[] | undefined>(undefined, [], ["red"], ["red", "blue"]);
/** 0: that of an absent key; 1: the current one; 2: another one. */
const ifVersions = fc.constantFrom(undefined, undefined, undefined, 0, 1, 2);
const numbers = fc.integer({ min: 100_000, max: 999_999 });

let count = 0;
function ifVersionOf(model: Model, key: string, choice: number | undefined): number | undefined {
  const current = live(model, key)?.version ?? 0;
  return choice === undefined ? undefined : choice === 0 ? 0 : choice === 1 ? current : current + 1;
}

/** Options without those that are undefined. */
function given(options: Record<string, unknown>): StoreOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

/** Everything that a caller, the clock and the network can do. */
function everyCommand(): fc.Arbitrary<Iterable<Command>> {
  const storing = fc
    .record({ key: keys, format: formats, ttl: ttls, tags, choice: ifVersions, n: numbers })
    .map(({ key, format, ttl, tags, choice, n }) =>
      command(`store ${key} ${format} ${n} ${JSON.stringify({ ttl, tags, choice })}`, async (model, real) => {
        const value = valueOf(format, n + (count += 1_000_000));
        const ifVersion = ifVersionOf(model, key, choice);
        const result = await outcomeOf(() => real.store.store(key, value, given({ format, ttl, tags, ifVersion })));
        if (ifVersion !== undefined && ifVersion !== (live(model, key)?.version ?? 0)) {
          expect(result).toBe("VERSION_CONFLICT");
          return;
        }
        const version = nextVersion(model, key);
        const expiresAt = ttl == null ? Infinity : model.now + ttl * 1_000;
        commit(
          model,
          key,
          { operation: "store", version, value },
          { value, format, version, ttl: ttl ?? null, expiresAt, tags: tags ?? [] },
        );
        acknowledged(model, real, key, result as boolean);
      }),
    );

  const updating = fc.record({ key: keys, ttl: ttls, tags, n: numbers }).map(({ key, ttl, tags, n }) =>
    command(`update ${key} ${n} ${JSON.stringify({ ttl, tags })}`, async (model, real) => {
      const current = live(model, key);
      const format = current?.format ?? "json";
      const value = valueOf(format, n + (count += 1_000_000));
      const result = await outcomeOf(() => real.store.update(key, value, given({ ttl, tags })));
      const kept = { ttl: ttl !== undefined ? ttl : (current?.ttl ?? null), tags: tags ?? current?.tags ?? [] };
      const version = nextVersion(model, key);
      const expiresAt = kept.ttl === null ? Infinity : model.now + kept.ttl * 1_000;
      commit(model, key, { operation: "store", version, value }, { value, format, version, expiresAt, ...kept });
      acknowledged(model, real, key, result as boolean);
    }),
  );

  const deleting = fc.record({ key: keys, choice: ifVersions }).map(({ key, choice }) =>
    command(`delete ${key} ${choice}`, async (model, real) => {
      const current = live(model, key);
      const ifVersion = ifVersionOf(model, key, choice);
      const result = await outcomeOf(() => real.store.delete(key, given({ ifVersion })));
      if (ifVersion !== undefined && ifVersion !== (current?.version ?? 0)) {
        expect(result).toBe("VERSION_CONFLICT");
        return;
      }
      expect(result, "whether the key existed").toBe(current !== undefined);
      // After an expiry the last known version is known for as long as the row is there.
      const versions = [nextVersion(model, key), ...(model.remains.has(key) ? [model.remains.get(key)! + 1] : [])];
      const waiting = (await done(() => real.store.pendingWrites())).find((write) => write.key === key)?.version;
      const last = real.nats.of(key).at(-1);
      const version = waiting ?? (last?.operation === "delete" ? last.version : undefined);
      expect(versions, "the version of the delete").toContain(version);
      commit(model, key, { operation: "delete", version: version! }, undefined);
      if (model.server !== "up") model.mayBeOffline = true;
    }),
  );

  const bulkStoring = fc
    .record({ chosen: fc.uniqueArray(keys, { minLength: 1 }), format: formats, ttl: ttls, tags, n: numbers })
    .map(({ chosen, format, ttl, tags, n }) =>
      command(`bulkStore ${chosen.join(" ")} ${format} ${n} ${JSON.stringify({ ttl, tags })}`, async (model, real) => {
        const values = new Map(chosen.map((key) => [key, valueOf(format, n + (count += 1_000_000))]));
        const results = await done(() => real.store.bulkStore(values, given({ format, ttl, tags })));
        expect([...results.keys()]).toEqual(chosen);
        for (const [key, value] of values) {
          const version = nextVersion(model, key);
          const expiresAt = ttl == null ? Infinity : model.now + ttl * 1_000;
          commit(
            model,
            key,
            { operation: "store", version, value },
            { value, format, version, ttl: ttl ?? null, expiresAt, tags: tags ?? [] },
          );
        }
        for (const [key, result] of results) acknowledged(model, real, key, result);
      }),
    );

  const together = fc.record({ key: keys, n: numbers, size: fc.integer({ min: 2, max: 4 }) }).map(({ key, n, size }) =>
    command(`${size} stores of ${key} at once ${n}`, async (model, real) => {
      const values = Array.from({ length: size }, () => valueOf("json", n + (count += 1_000_000)));
      const results = await done(() => Promise.all(values.map((value) => real.store.store(key, value))));
      for (const value of values) {
        const version = nextVersion(model, key);
        commit(
          model,
          key,
          { operation: "store", version, value },
          { value, format: "json", version, ttl: null, expiresAt: Infinity, tags: [] },
        );
      }
      acknowledged(model, real, key, results.at(-1)!);
    }),
  );

  const retrieving = fc.record({ key: keys, useCache: fc.boolean() }).map(({ key, useCache }) =>
    command(`retrieve ${key}${useCache ? "" : " past memory"}`, async (model, { store }) => {
      expect(await done(() => store.retrieve(key, { useCache }))).toEqual(live(model, key)?.value);
    }),
  );

  const bulkRetrieving = fc.record({ chosen: fc.array(keys), useCache: fc.boolean() }).map(({ chosen, useCache }) =>
    command(`bulkRetrieve ${chosen.join(" ")}${useCache ? "" : " past memory"}`, async (model, { store }) => {
      const found = await done(() => store.bulkRetrieve(chosen, { useCache }));
      const expected = [...new Set(chosen)].flatMap((key) => (live(model, key) === undefined ? [] : [[key, live(model, key)!.value]]));
      expect([...found]).toEqual(expected);
    }),
  );

  const looking = keys.map((key) =>
    command(`exists and getMetadata ${key}`, async (model, { store }) => {
      const entry = live(model, key);
      expect(await done(() => store.exists(key))).toBe(entry !== undefined);
      const metadata = await done(() => store.getMetadata(key));
      if (entry === undefined) {
        expect(metadata).toBeUndefined();
        return;
      }
      const { format, version, ttl, tags, expiresAt } = entry;
      expect(metadata).toMatchObject({ key, format, version, ttl, tags, expiresAt: expiresAt === Infinity ? null : new Date(expiresAt) });
      expect(metadata?.pending).toBe(model.pending.has(key));
    }),
  );

  const listing = fc
    .constantFrom({}, { tag: "red" }, { tag: "blue" }, { pattern: "a*" }, { pattern: "?" })
    .map(({ pattern, tag }: { pattern?: string; tag?: string }) =>
      command(`listKeys ${pattern ?? "*"} ${tag ?? ""}`, async (model, { store }) => {
        const fits: Record<string, (key: string) => boolean> = { "a*": (key) => key.startsWith("a"), "?": (key) => key.length === 1 };
        const expected = [...model.entries.keys()]
          .filter((key) => live(model, key) !== undefined && (fits[pattern ?? ""]?.(key) ?? true))
          .filter((key) => tag === undefined || model.entries.get(key)!.tags.includes(tag));
        expect(await done(() => store.listKeys(pattern, tag === undefined ? {} : { tag }))).toEqual(expected.toSorted());
      }),
    );

  const others = fc.constantFrom(
    command("getStorageStats", async (model, { store }) => {
      expect(await done(() => store.getStorageStats())).toMatchObject({
        entries: model.entries.size,
        pendingWrites: model.pending.size,
        rejectedWrites: 0,
      });
    }),
    command("clearCache", async (model, { store }) => {
      await done(() => store.clearCache());
      for (const key of [...model.entries.keys(), ...model.remains.keys()]) {
        if (model.pending.has(key)) continue;
        model.entries.delete(key);
        model.remains.delete(key);
      }
    }),
    command("sweep", async (model, { store }) => {
      const gone = await done(() => store.sweep());
      expect(gone).toBeLessThanOrEqual(model.remains.size);
      for (const key of model.remains.keys()) if (!model.pending.has(key)) model.remains.delete(key);
    }),
  );

  const flushing = fc.constant(
    command("flush", async (model, { store, nats }) => {
      const { pending, rejected } = await done(() => store.flush());
      expect(rejected).toBe(0);
      if (model.server !== "up") {
        expect(pending).toBe(model.pending.size);
        if (pending > 0) model.mayBeOffline = true;
        return;
      }
      expect(pending).toBe(0);
      for (const key of model.pending.keys()) {
        expect(isSame(nats.of(key).at(-1), newestOf(model, key)), `the last message of ${key} is its newest write`).toBe(true);
      }
      if (model.pending.size > 0) model.mayBeOffline = false;
      model.pending.clear();
    }),
  );

  const reloading = fc.constant(
    command("reload", async (model, real) => {
      await done(() => real.store.close());
      real.store = real.open();
      if (model.server !== "up") model.mayBeOffline = true;
    }),
  );

  const passing = fc.constantFrom(10, 999, 1_001, 61_000, 86_400_000).map((ms) =>
    command(`${ms} ms pass`, async (model) => {
      model.now += ms;
      expire(model);
    }),
  );

  const serving = fc.constantFrom<Model["server"]>("up", "up", "down", "mute").map((state) =>
    command(`server ${state}`, async (model, { nats }) => {
      const before = model.server;
      model.server = state;
      nats.dialling = state === "down" ? "refuses" : "answers";
      if (state === "down") {
        nats.cut();
        // What waits for an answer learns that there will be none before it could get one.
        await turns(30);
      }
      if (state !== "mute") nats.answer();
      else if (before !== "mute") nats.hold();
      if (state !== "up") model.mayBeOffline = true;
    }),
  );

  const waking = fc.constant(
    command("online", async () => {
      globalThis.dispatchEvent(new Event("online"));
      await done(() => turns(60));
    }),
  );

  return fc.commands(
    [
      storing,
      storing,
      updating,
      deleting,
      bulkStoring,
      together,
      retrieving,
      retrieving,
      bulkRetrieving,
      looking,
      looking,
      listing,
      others,
      flushing,
      reloading,
      passing,
      passing,
      serving,
      waking,
    ],
    { maxCommands: 40, size: "max" },
  );
}

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

describe.each(LAYOUTS)("a store of $layout", ({ minRowsForBlocks }) => {
  useBlocks(minRowsForBlocks);

  it(`does what a plain Map does, over ${RUNS} runs of random commands`, { timeout: isLong ? 3_600_000 : 120_000 }, async () => {
    await preload();
    hashAtOnce();
    stopTime();
    const seed = Number(process.env["FAULTS_SEED"] ?? (Math.random() * 2 ** 31) | 0);
    // A run that fails prints its seed and its commands; FAULTS_SEED=<seed> comes to the same failure again.
    const outcome = await fc.check(
      fc.asyncProperty(everyCommand(), async (commands) => {
        const nats = new FakeNats();
        const events = new EventTarget();
        vi.stubGlobal("indexedDB", new IDBFactory());
        vi.stubGlobal("IDBKeyRange", IDBKeyRange);
        vi.stubGlobal("navigator", { onLine: true, locks: new FakeLocks() });
        vi.stubGlobal("addEventListener", events.addEventListener.bind(events));
        vi.stubGlobal("dispatchEvent", events.dispatchEvent.bind(events));
        vi.spyOn(Math, "random").mockReturnValue(0.5);
        const model: Model = {
          entries: new Map(),
          pending: new Map(),
          remains: new Map(),
          history: new Map(),
          server: "up",
          mayBeOffline: false,
          now: NOW,
        };
        vi.spyOn(Date, "now").mockImplementation(() => model.now);
        const open = (): NASKeyStore =>
          new NASKeyStore({
            namespace: "model",
            connect: nats.connect,
            cacheSize: 2,
            sweepIntervalMs: 0,
            compression: { thresholdBytes: 200 },
          });
        const real: Real = { store: open(), nats, open };
        try {
          await fc.asyncModelRun(() => ({ model, real }), commands);
          await theEnd(model, real);
        } finally {
          nats.dialling = "refuses";
          nats.cut();
          nats.answer();
          await done(() => real.store.close());
        }
      }),
      { numRuns: RUNS, seed, verbose: fc.VerbosityLevel.Verbose },
    );
    const cause = outcome.errorInstance instanceof Error ? `${outcome.errorInstance.message}\n` : "";
    expect(outcome.failed, `FAULTS_SEED=${seed} repeats this. ${cause}${outcome.failed ? fc.defaultReportMessage(outcome) : ""}`).toBe(
      false,
    );
  });
});

/** With the server up everything arrives, in order: what the server has read of a key is part of its history, the newest last. */
async function theEnd(model: Model, real: Real): Promise<void> {
  model.server = "up";
  real.nats.dialling = "answers";
  real.nats.answer();
  await done(() => real.store.flush());
  expect(await done(() => real.store.pendingWrites())).toEqual([]);
  for (const [key, history] of model.history) {
    const seen = new Set<string>();
    const firsts = real.nats.arrived.filter(({ envelope, id }) => envelope.key === key && !seen.has(id) && seen.add(id));
    let at = 0;
    for (const { envelope } of firsts) {
      while (at < history.length && !isSame(envelope, history[at])) at++;
      expect(at, `a message of ${key} that is no write of it, or out of order: ${JSON.stringify(envelope)}`).toBeLessThan(history.length);
      at++;
    }
    expect(isSame(real.nats.of(key).at(-1), history.at(-1)), `the last message of ${key}`).toBe(true);
  }
}
