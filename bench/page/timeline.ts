import { spread } from "../measure.ts";
import { oneShot } from "../peers/websocket.ts";
import { keyOf, pairs, payload } from "./payload.ts";
import { allConfirmed, confirmed, openDurableStore, openStore } from "./stores.ts";
import { atOnce, quiet } from "./turns.ts";

/** The timeline of a single store, of a bare one-shot and of larger calls: medians of milliseconds since the call. */
export async function timeline(servers: string): Promise<string> {
  const plain = await openStore(servers, { timeoutMs: 60_000 });
  const kept = await openStore(servers, { lingerMs: 60_000 });
  const durable = await openDurableStore(servers, { lingerMs: 60_000 });
  const store = (n: number): Promise<void> => confirmed(plain.store.store(keyOf(n), payload(n)));
  const works: { name: string; runs: number; work: (n: number) => Promise<unknown> }[] = [
    { name: "store, alone", runs: 25, work: store },
    { name: "store with lingerMs, alone", runs: 25, work: (n) => confirmed(kept.store.store(keyOf(n), payload(n))) },
    { name: "bare WebSocket one-shot", runs: 25, work: (n) => oneShot(servers, `bench.${keyOf(n)}`, JSON.stringify(payload(n))) },
    { name: "1,000 stores at once", runs: 5, work: (n) => atOnce(1000, (k) => store(n * 1000 + k)) },
    {
      name: "bulkStore of 10,000",
      runs: 3,
      work: (n) => allConfirmed(plain.store.bulkStore(pairs(10_000, (k) => `bulk:${n}:${k}`)), 10_000),
    },
    { name: "durable store with lingerMs, alone", runs: 25, work: (n) => confirmed(durable.store.store(keyOf(n), payload(n))) },
    {
      name: "1,000 durable stores at once, connection kept",
      runs: 5,
      work: (n) => atOnce(1000, (k) => confirmed(durable.store.store(keyOf(1_000_000 + n * 1000 + k), payload(k)))),
    },
    { name: "retrieve from IndexedDB", runs: 25, work: (n) => kept.store.retrieve(keyOf(n), { useCache: false }) },
  ];
  const lines: string[] = [];
  for (const { name, runs, work } of works) lines.push(`\n${name}:`, ...(await watch(work, runs)));
  await Promise.all([plain.end(), kept.end(), durable.end()]);
  return lines.join("\n");
}

/** The first and the last time of an event in one run, and its count. */
interface Seen {
  readonly first: number;
  readonly last: number;
  readonly count: number;
}

async function watch(work: (n: number) => Promise<unknown>, runs: number): Promise<string[]> {
  const seen = new Map<string, Seen[]>();
  for (let n = 0; n < runs; n++) {
    await quiet();
    const now = new Map<string, Seen>();
    const start = performance.now();
    const see = (what: string): void => {
      const last = performance.now() - start;
      const { first, count } = now.get(what) ?? { first: last, count: 0 };
      now.set(what, { first, last, count: count + 1 });
    };
    const undo = spy(see);
    await work(n);
    see("resolved");
    undo();
    for (const [what, one] of now) seen.set(what, [...(seen.get(what) ?? []), one]);
  }
  const usual = [...seen].filter(([, times]) => times.length > runs / 2);
  const median = (values: number[]): number => spread(values).median;
  return usual
    .map(([what, times]) => ({
      what,
      first: median(times.map(({ first }) => first)),
      last: median(times.map(({ last }) => last)),
      count: median(times.map(({ count }) => count)),
    }))
    .toSorted((a, b) => a.first - b.first)
    .map(({ what, first, last, count }) => {
      const more = count > 1 ? ` (${Math.round(count)} times, the last at ${last.toFixed(2)} ms)` : "";
      return `  ${first.toFixed(2).padStart(8)} ms  ${what}${more}`;
    });
}

/** Wraps functions of the browser to record the time of their calls. */
function spy(see: (what: string) => void): () => void {
  const { WebSocket: Original } = globalThis;
  const { transaction } = IDBDatabase.prototype;
  const { send } = Original.prototype;
  globalThis.WebSocket = class extends Original {
    constructor(...args: ConstructorParameters<typeof Original>) {
      see("socket: constructed");
      super(...args);
      this.addEventListener("open", () => see("socket: open"));
      this.addEventListener("message", () => see("socket: message"));
    }
  };
  Original.prototype.send = function (...args) {
    see("socket: send");
    return send.apply(this, args);
  };
  IDBDatabase.prototype.transaction = function (...args) {
    const [tables, mode = "readonly"] = args;
    const name = `transaction ${mode} ${typeof tables === "string" ? tables : [...tables].join("+")}`;
    see(`${name}: begun`);
    const made = transaction.apply(this, args);
    made.addEventListener("complete", () => see(`${name}: complete`));
    return made;
  };
  return () => {
    globalThis.WebSocket = Original;
    Original.prototype.send = send;
    IDBDatabase.prototype.transaction = transaction;
  };
}
