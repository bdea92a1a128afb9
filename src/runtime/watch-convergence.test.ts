import fc from "fast-check";
import { beforeEach, expect, it } from "vitest";
import type { NASKeyStore } from "../key-store.ts";
import { FakeChannel } from "../testing/fake-channel.ts";
import { usePage } from "../testing/stores.ts";

const page = usePage();

// Attempts follow each other at once.
beforeEach(() => void (page.clock.chance = 0));

const key = fc.constantFrom("a", "b", "c", "d");
const store = fc.nat(2);
type Step =
  | { do: "store" | "expiring" | "delete" | "read"; store: number; key: string }
  | { do: "bulk" | "clear" | "sweep" | "reopen"; store: number }
  | { do: "leave" | "return" | "cut" | "answer" | "deliver" }
  | { do: "pass"; ms: number };
const steps = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constantFrom("store", "expiring", "delete", "read"), store, key }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constantFrom("bulk", "clear", "sweep", "reopen"), store }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("leave", "return", "cut", "answer", "deliver") }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("pass"), ms: fc.nat(30) }) },
  ),
  { minLength: 5, maxLength: 30 },
) as fc.Arbitrary<Step[]>;

/** The entries that a store's view shows. It reads them once, then whatever `watch` tells it to. */
class View {
  readonly #store: NASKeyStore;
  readonly #shown = new Map<string, unknown>();
  readonly #versions = new Map<string, number>();
  #reading: Promise<void> = Promise.resolve();
  /** Changes that arrived after a newer one of their key. */
  readonly late: string[] = [];

  constructor(watched: NASKeyStore) {
    this.#store = watched;
    const read = (work: () => Promise<void>): void => void (this.#reading = this.#reading.then(work));
    watched.watch("*", ({ key: changed, type, version }) => {
      if (type === "clear") this.#versions.clear();
      if (version !== undefined) {
        if (version <= (this.#versions.get(changed) ?? 0)) this.late.push(`${changed}@${version}`);
        this.#versions.set(changed, version);
      }
      read(() => (type === "clear" ? this.#readAll() : this.#readOne(changed)));
    });
    read(() => this.#readAll());
  }

  async entries(): Promise<object> {
    for (let before; before !== this.#reading;) await (before = this.#reading);
    return Object.fromEntries([...this.#shown].toSorted());
  }

  async #readAll(): Promise<void> {
    const found = await this.#store.bulkRetrieve(["a", "b", "c", "d"]);
    this.#shown.clear();
    for (const [name, value] of found) this.#shown.set(name, value);
  }

  async #readOne(name: string): Promise<void> {
    const value = await this.#store.retrieve(name);
    if (value === undefined) this.#shown.delete(name);
    else this.#shown.set(name, value);
  }
}

async function converge(script: readonly Step[], round: number): Promise<void> {
  const options = { namespace: `test${round}`, timeoutMs: 100, maxEntries: 3 };
  const open = (index: number): NASKeyStore => (index === 1 ? page.open(options) : page.openTogether(options));
  const stores = [open(0), open(1), open(2)];
  const views = [new View(stores[0]!), new View(stores[1]!)];
  const calls: Promise<unknown>[] = [];
  const fire = (type: string): void => void page.events.dispatchEvent(Object.assign(new Event(type), { persisted: true }));
  let value = 0;
  for (const step of script) {
    const target = "store" in step ? stores[step.store]! : stores[0]!;
    value++;
    if (step.do === "store") calls.push(target.store(step.key, value));
    if (step.do === "expiring") calls.push(target.store(step.key, value, { ttl: 0.02 }));
    if (step.do === "delete") calls.push(target.delete(step.key));
    if (step.do === "read") calls.push(target.retrieve(step.key));
    if (step.do === "bulk") calls.push(target.bulkStore({ a: value, d: value }));
    if (step.do === "clear") calls.push(target.clearCache());
    if (step.do === "sweep") calls.push(target.sweep());
    // The stores with a view live on.
    if (step.do === "reopen" && step.store === 2) {
      calls.push(target.close());
      stores[2] = open(2);
    }
    if (step.do === "leave") fire("pagehide");
    if (step.do === "return") fire("pageshow");
    if (step.do === "cut") page.nats.cut();
    if (step.do === "answer") page.nats.answer();
    if (step.do === "deliver") await FakeChannel.delivered();
    if (step.do === "pass") await page.clock.advance(step.ms);
  }
  fire("pageshow");
  page.nats.answer();
  await page.clock.advance(100);
  await Promise.all(calls);
  for (const one of stores) await one.flush();
  await page.evicted();
  await FakeChannel.delivered();
  // Finds what has expired.
  await stores[2]!.sweep();
  await FakeChannel.delivered();
  const there = Object.fromEntries(await stores[2]!.bulkRetrieve(["a", "b", "c", "d"], { useCache: false }));
  for (const view of views) expect([await view.entries(), view.late]).toEqual([there, []]);
  await Promise.all(stores.map((one) => one.close()));
}

let round = 0;

it("Views that watch feeds show the state of the database in the end, and versions rise, whatever two tabs do", async () => {
  const property = fc.asyncProperty(steps, (script) => converge(script, round++));
  await expect(fc.assert(property, { numRuns: 40 })).resolves.toBeUndefined();
}, 60_000);
