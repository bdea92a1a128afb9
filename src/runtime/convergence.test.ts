import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { isTombstone } from "../model/row.ts";
import { ENTRIES, META, type Table } from "../storage/idb/schema.ts";
import { allOutbox, allRows, LAYOUTS, openDatabase, resultOf, useBlocks } from "../testing/indexeddb.ts";
import { usePage } from "../testing/stores.ts";

const page = usePage();

// Attempts follow each other at once.
beforeEach(() => void (page.clock.chance = 0));

const key = fc.constantFrom("a", "b", "c");
const tab = fc.nat(1);
type Step =
  | { do: "store" | "delete" | "update" | "bulk"; tab: number; key: string }
  | { do: "hold" | "answer" | "cut" | "refuse" | "accept" }
  | { do: "pass"; ms: number }
  | { do: "read"; table: Table };
const write = fc.record({ do: fc.constantFrom("store", "delete", "update", "bulk"), tab, key });
const server = fc.record({ do: fc.constantFrom("hold", "answer", "cut", "refuse", "accept") });
const pass = fc.record({ do: fc.constant("pass"), ms: fc.nat(30) });
/** Takes as long as a transaction does: one that waits for the writes before it, or one of a table that they do not use. */
const read = fc.record({ do: fc.constant("read"), table: fc.constantFrom(ENTRIES, META) });
const steps = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: write },
    { weight: 2, arbitrary: server },
    { weight: 1, arbitrary: pass },
    { weight: 3, arbitrary: read },
  ),
  {
    minLength: 5,
    maxLength: 25,
  },
) as fc.Arbitrary<Step[]>;

/** Every write that a store has acknowledged arrives in the end, and of each key the newest arrives last. */
async function converge(tabs: number, script: readonly Step[], round: number): Promise<void> {
  const namespace = `test${round}`;
  const stores = Array.from({ length: tabs }, () => page.open({ namespace, timeoutMs: 100 }));
  const database = openDatabase(`nas-keystore/${namespace}`);
  const calls: Promise<unknown>[] = [];
  let value = 0;
  for (const step of script) {
    if (step.do === "hold") page.nats.hold();
    else if (step.do === "answer") page.nats.answer();
    else if (step.do === "cut") page.nats.cut();
    else if (step.do === "refuse") page.nats.dialling = "refuses";
    else if (step.do === "accept") page.nats.dialling = "answers";
    else if ("ms" in step) await page.clock.advance(step.ms);
    else if ("table" in step)
      await database.run([step.table], "readonly", (transaction) => resultOf(transaction.objectStore(step.table).count()));
    else if ("key" in step) {
      const store = stores[step.tab % tabs];
      value++;
      if (step.do === "store") calls.push(store?.store(step.key, value) ?? Promise.resolve());
      if (step.do === "update") calls.push(store?.update(step.key, value) ?? Promise.resolve());
      if (step.do === "delete") calls.push(store?.delete(step.key) ?? Promise.resolve());
      if (step.do === "bulk") calls.push(store?.bulkStore({ [step.key]: value, d: value }) ?? Promise.resolve());
    }
  }
  page.nats.dialling = "answers";
  page.nats.answer();
  await page.clock.advance(100);
  await Promise.all(calls);

  for (const store of stores) await store.flush();
  expect(await allOutbox(database)).toEqual([]);
  const rows = await allRows(database);
  const arrived = page.nats.arrived.filter(({ subject }) => subject.startsWith(`_kv.${namespace}.key.`));
  const last = new Map(arrived.map(({ envelope }) => [envelope.key, envelope]));
  for (const [name, envelope] of last) {
    const row = rows[name];
    if (row === undefined || isTombstone(row)) expect(envelope.operation).toBe("delete");
    else
      expect(envelope).toMatchObject({
        operation: "store",
        value: "payload" in row ? row.payload : "",
        metadata: { version: row.version },
      });
  }
  expect(Object.keys(rows).filter((name) => !last.has(name))).toEqual([]);
  database.release();
  await Promise.all(stores.map((store) => store.close()));
}

let round = 0;

describe.each(LAYOUTS)(
  "Every write of $layout arrives, and the newest of a key arrives last, whatever the server does meanwhile,",
  ({ minRowsForBlocks }) => {
    useBlocks(minRowsForBlocks);

    it("when one tab writes", async () => {
      const property = fc.asyncProperty(steps, (script) => converge(1, script, round++));
      await expect(fc.assert(property, { numRuns: 15 })).resolves.toBeUndefined();
    }, 60_000);

    it("when two tabs write", async () => {
      const property = fc.asyncProperty(steps, (script) => converge(2, script, round++));
      await expect(fc.assert(property, { numRuns: 15 })).resolves.toBeUndefined();
    }, 60_000);
  },
);
