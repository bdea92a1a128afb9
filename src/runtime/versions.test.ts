import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { NASKeyStore } from "../key-store.ts";
import { LAYOUTS, useBlocks } from "../testing/indexeddb.ts";
import { usePage } from "../testing/stores.ts";

const page = usePage();

const key = fc.constantFrom("a", "b", "c");
const step = fc.record({
  do: fc.constantFrom("store", "store", "update", "delete", "expire", "bulk", "clear", "sweep", "pass", "reload", "wait"),
  tab: fc.nat(1),
  key,
});

let round = 0;

describe.each(LAYOUTS)("The versions of a key, of $layout", ({ minRowsForBlocks }) => {
  useBlocks(minRowsForBlocks);

  it("rise with each write of two tabs, whatever removes the key in between", async () => {
    const property = fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 30 }), async (script) => {
      const namespace = `test${round++}`;
      /** The clock must not pass the deadlines of a database that is being opened, or of a transaction that has only just begun. */
      const answer = (store: NASKeyStore): Promise<boolean> => store.exists("none");
      const open = async (): Promise<NASKeyStore> => {
        const store = page.open({ namespace, maxEntries: 2 });
        await answer(store);
        return store;
      };
      const stores = [await open(), await open()];
      let calls: Promise<unknown>[] = [];
      const wait = async (): Promise<void> => {
        await Promise.all(calls);
        calls = [];
        // Until the results are in the database, nothing that was confirmed is removed.
        for (const store of stores) await store.pendingWrites();
      };
      for (const { do: what, tab, key: name } of script) {
        const store = stores[tab] as NASKeyStore;
        if (what === "store") calls.push(store.store(name, 1));
        if (what === "update") calls.push(store.update(name, 2));
        if (what === "delete") calls.push(store.delete(name));
        if (what === "expire") calls.push(store.store(name, 3, { ttl: 1 }));
        if (what === "bulk") calls.push(store.bulkStore({ a: 4, b: 4, d: 4 }));
        if (what === "clear") calls.push(store.clearCache());
        if (what === "sweep") calls.push(store.sweep());
        if (what === "pass") {
          await page.clock.advance(1_001);
          for (const each of stores) await answer(each);
        }
        if (what === "wait") await wait();
        if (what === "reload") {
          await wait();
          await store.close();
          stores[tab] = await open();
        }
      }
      await wait();
      await Promise.all(stores.map((store) => store.close()));
      const seen = new Map<string, number[]>();
      const ids = new Set<string>();
      for (const { subject, id, envelope } of page.nats.arrived) {
        if (!subject.startsWith(`_kv.${namespace}.key.`) || ids.has(id)) continue;
        ids.add(id);
        const version = envelope.operation === "delete" ? envelope.version : envelope.metadata.version;
        seen.set(envelope.key, [...(seen.get(envelope.key) ?? []), version]);
      }
      for (const versions of seen.values()) expect(versions).toEqual([...new Set(versions)].toSorted((a, b) => a - b));
    });
    await expect(fc.assert(property, { numRuns: 40 })).resolves.toBeUndefined();
  }, 60_000);
});
