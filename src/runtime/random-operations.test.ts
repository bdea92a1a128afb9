import fc from "fast-check";
import { IDBFactory, IDBKeyRange } from "fake-indexeddb";
import { afterEach, describe, expect, it, vi } from "vitest";

import type { NASKeyStore } from "../key-store.ts";
import type { KeyFormat } from "../model/metadata.ts";
import type { StoreOptions } from "../options/types.ts";
import { FakeChannel } from "../testing/fake-channel.ts";
import { FakeLocks } from "../testing/fake-locks.ts";
import { FakeNats } from "../testing/fake-nats.ts";
import { LAYOUTS, useBlocks } from "../testing/indexeddb.ts";
import { NOW } from "../testing/rows.ts";
import {
  acknowledged,
  agree,
  type Command,
  commit,
  expire,
  isSame,
  live,
  type Model,
  ModelClock,
  newestOf,
  nextVersion,
  outcomeOf,
  type Real,
  valueOf,
  versionOf,
} from "../testing/store-model.ts";
import { hashAtOnce, openStore, preload } from "../testing/stores.ts";

const isLong = process.env["FAULTS"] === "long";
const RUNS = isLong ? 2_000 : 100;
const TIMEOUT_MS = 2_000;

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
        const version = nextVersion(model, key, await versionOf(real, key));
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
      const version = nextVersion(model, key, await versionOf(real, key));
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
      const waiting = (await real.store.pendingWrites()).find((write) => write.key === key)?.version;
      const last = real.nats.of(key).at(-1);
      const version = nextVersion(model, key, waiting ?? (last?.operation === "delete" ? last.version : undefined));
      commit(model, key, { operation: "delete", version }, undefined);
      if (model.server !== "up") model.mayBeOffline = true;
    }),
  );

  const bulkStoring = fc
    .record({ chosen: fc.uniqueArray(keys, { minLength: 1 }), format: formats, ttl: ttls, tags, n: numbers })
    .map(({ chosen, format, ttl, tags, n }) =>
      command(`bulkStore ${chosen.join(" ")} ${format} ${n} ${JSON.stringify({ ttl, tags })}`, async (model, real) => {
        const values = new Map(chosen.map((key) => [key, valueOf(format, n + (count += 1_000_000))]));
        const results = await real.store.bulkStore(values, given({ format, ttl, tags }));
        expect([...results.keys()]).toEqual(chosen);
        for (const [key, value] of values) {
          const version = nextVersion(model, key, await versionOf(real, key));
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
      const results = await Promise.all(values.map((value) => real.store.store(key, value)));
      const first = (await versionOf(real, key)) - size + 1;
      for (const [index, value] of values.entries()) {
        const version = nextVersion(model, key, first + index);
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
      expect(await store.retrieve(key, { useCache })).toEqual(live(model, key)?.value);
    }),
  );

  const bulkRetrieving = fc.record({ chosen: fc.array(keys), useCache: fc.boolean() }).map(({ chosen, useCache }) =>
    command(`bulkRetrieve ${chosen.join(" ")}${useCache ? "" : " past memory"}`, async (model, { store }) => {
      const found = await store.bulkRetrieve(chosen, { useCache });
      const expected = [...new Set(chosen)].flatMap((key) => (live(model, key) === undefined ? [] : [[key, live(model, key)!.value]]));
      expect([...found]).toEqual(expected);
    }),
  );

  const looking = keys.map((key) =>
    command(`exists and getMetadata ${key}`, async (model, { store }) => {
      const entry = live(model, key);
      expect(await store.exists(key)).toBe(entry !== undefined);
      const metadata = await store.getMetadata(key);
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
        expect(await store.listKeys(pattern, tag === undefined ? {} : { tag })).toEqual(expected.toSorted());
      }),
    );

  const others = fc.constantFrom(
    command("getStorageStats", async (model, { store }) => {
      expect(await store.getStorageStats()).toMatchObject({
        entries: model.entries.size,
        pendingWrites: model.pending.size,
        rejectedWrites: 0,
      });
    }),
    command("clearCache", async (model, { store }) => {
      await store.clearCache();
      for (const key of [...model.entries.keys(), ...model.remains.keys()]) {
        if (model.pending.has(key)) continue;
        model.entries.delete(key);
        model.remains.delete(key);
      }
    }),
    command("sweep", async (model, { store }) => {
      const gone = await store.sweep();
      expect(gone).toBeLessThanOrEqual(model.remains.size);
      for (const key of model.remains.keys()) if (!model.pending.has(key)) model.remains.delete(key);
    }),
  );

  const flushing = fc.constant(
    command("flush", async (model, { store, nats }) => {
      const { pending, rejected } = await store.flush();
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
      await real.store.close();
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
      if (state === "down") nats.cut();
      if (state !== "mute") nats.answer();
      else if (before !== "mute") nats.hold();
      if (state !== "up") model.mayBeOffline = true;
    }),
  );

  const waking = fc.constant(
    command("online", async () => {
      globalThis.dispatchEvent(new Event("online"));
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
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

describe.each(LAYOUTS)("A store of $layout", ({ minRowsForBlocks }) => {
  useBlocks(minRowsForBlocks);

  it(`does what a plain Map does, over ${RUNS} runs of random commands`, { timeout: isLong ? 3_600_000 : 120_000 }, async () => {
    await preload();
    hashAtOnce();
    const seed = Number(process.env["FAULTS_SEED"] ?? (Math.random() * 2 ** 31) | 0);
    // A run that fails prints its seed and its commands; FAULTS_SEED=<seed> comes to the same failure again.
    const outcome = await fc.check(
      fc.asyncProperty(everyCommand(), async (commands) => {
        const nats = new FakeNats();
        const locks = new FakeLocks();
        const events = new EventTarget();
        vi.stubGlobal("indexedDB", new IDBFactory());
        vi.stubGlobal("IDBKeyRange", IDBKeyRange);
        vi.stubGlobal("navigator", { onLine: true, locks });
        vi.stubGlobal("BroadcastChannel", FakeChannel);
        vi.stubGlobal("addEventListener", events.addEventListener.bind(events));
        vi.stubGlobal("removeEventListener", events.removeEventListener.bind(events));
        vi.stubGlobal("dispatchEvent", events.dispatchEvent.bind(events));
        const model: Model = {
          entries: new Map(),
          pending: new Map(),
          remains: new Map(),
          history: new Map(),
          server: "up",
          mayBeOffline: false,
          now: NOW,
        };
        const clock = new ModelClock(model);
        // Time passes for a call when the server lets it wait.
        let passing = Promise.resolve();
        nats.onUnanswered = () => void (passing = passing.then(() => clock.advance(TIMEOUT_MS)));
        const open = (): NASKeyStore =>
          openStore(
            {
              namespace: "model",
              connect: nats.connect,
              cacheSize: 2,
              sweepIntervalMs: 0,
              timeoutMs: TIMEOUT_MS,
              compression: { thresholdBytes: 200 },
            },
            clock,
          );
        const real: Real = { store: open(), nats, locks, open };
        try {
          await fc.asyncModelRun(() => ({ model, real }), commands);
          await theEnd(model, real);
        } finally {
          nats.dialling = "refuses";
          nats.cut();
          nats.answer();
          await real.store.close();
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
  await real.store.flush();
  expect(await real.store.pendingWrites()).toEqual([]);
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
