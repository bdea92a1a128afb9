import { assert } from "chai";
import type { KeyStoreError, KeyStoreErrorCode } from "nas-keystore";
import type { ContractCase } from "../environment.ts";
import { until } from "../support/waiting.ts";

const NOW = Date.UTC(2030, 0, 1);

function assertThrows(call: () => unknown, code: KeyStoreErrorCode, key: string): void {
  let error: KeyStoreError | undefined;
  try {
    call();
  } catch (thrown) {
    error = thrown as KeyStoreError;
  }
  assert.deepInclude(error, { name: "KeyStoreError", code, key });
}

export const peek: readonly ContractCase[] = [
  {
    title: "peek returns the value in memory at once, in every format, as a fresh copy",
    run: async ({ openStore }) => {
      const store = openStore();
      await store.store("json", { list: [1] });
      await store.store("text", "text", { format: "text" });
      await store.store("binary", new Uint8Array([1, 2]), { format: "binary" });
      await store.store("structured", new Map([["k", 1n]]), { format: "structured" });
      const json = store.peek<{ list: number[] }>("json");
      assert.deepEqual(json, { list: [1] });
      json?.list.push(2);
      assert.deepEqual(store.peek("json"), { list: [1] });
      assert.equal(store.peek("text"), "text");
      assert.deepEqual(store.peek("binary"), new Uint8Array([1, 2]));
      assert.deepEqual(store.peek("structured"), new Map([["k", 1n]]));
    },
  },
  {
    title: "peek returns undefined for what only the database has, and the value once a read has brought it into memory",
    run: async ({ openStore }) => {
      await openStore().store("k", 1);
      const store = openStore();
      assert.isUndefined(store.peek("k"));
      assert.isUndefined(store.peek("absent"));
      await store.retrieve("k");
      assert.equal(store.peek("k"), 1);
      const without = openStore({ cacheSize: 0 });
      await without.retrieve("k");
      assert.isUndefined(without.peek("k"));
    },
  },
  {
    title: "peek does not count as a hit, a miss or a use",
    run: async ({ openStore }) => {
      const store = openStore({ cacheSize: 2 });
      await store.store("a", 1);
      await store.store("b", 1);
      const before = store.getCacheStats();
      assert.equal(store.peek("a"), 1);
      store.peek("absent");
      assert.deepEqual(store.getCacheStats(), before);
      await store.store("c", 1);
      assert.deepEqual(store.getCacheStats().keys, ["b", "c"]);
    },
  },
  {
    title: "peek returns undefined once the entry has expired, also after the clock jumps back",
    run: async ({ openStore, setClock }) => {
      setClock(NOW);
      const store = openStore();
      await store.store("k", 1, { ttl: 1 });
      assert.equal(store.peek("k"), 1);
      setClock(NOW + 1_000);
      assert.isUndefined(store.peek("k"));
      setClock(NOW);
      assert.isUndefined(store.peek("k"));
    },
  },
  {
    title: "peek returns the committed value while a write is under way, and never one that another store or tab has replaced",
    run: async ({ openStore, openTab }) => {
      const store = openStore();
      const tab = await openTab();
      await store.store("k", "old");
      const writing = store.store("k", "new");
      assert.equal(store.peek("k"), "old");
      await writing;
      assert.equal(store.peek("k"), "new");
      await openStore().store("k", "newer");
      assert.isUndefined(store.peek("k"));
      assert.equal(await store.retrieve("k"), "newer");
      await tab.store("k", "newest");
      await until("the store knows the write", () => store.peek("k") === undefined);
      await store.retrieve("k");
      await store.delete("k");
      assert.isUndefined(store.peek("k"));
    },
  },
  {
    title: "peek never returns a damaged value",
    run: async ({ openStore, database }) => {
      const writer = openStore();
      await writer.store("k", "a long enough text");
      await writer.close();
      await database.flipBit("k");
      const store = openStore();
      await store.retrieve("k").catch(() => undefined);
      assert.isUndefined(store.peek("k"));
    },
  },
  {
    title: "peek throws INVALID_KEY at once, and CLOSED after close, and names the key",
    run: async ({ openStore }) => {
      const store = openStore();
      await store.store("k", 1);
      assertThrows(() => store.peek(""), "INVALID_KEY", "");
      assertThrows(() => store.peek("\ud800"), "INVALID_KEY", "\ud800");
      void store.close();
      assertThrows(() => store.peek("k"), "CLOSED", "k");
      assertThrows(() => store.peek(""), "CLOSED", "");
    },
  },
];
