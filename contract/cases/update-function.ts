import { assert } from "chai";
import type { NASKeyStore } from "nas-keystore";
import type { ContractCase } from "../environment.ts";
import { assertRejects, rejection } from "../support/assertions.ts";
import { details } from "../support/events.ts";
import { published } from "../support/messages.ts";

const increment = (present: unknown): number => ((present as number | undefined) ?? 0) + 1;
const incrementLater = async (present: unknown): Promise<number> => increment(present);

/** `update` with a function that computes the value. */
export const updateFunction: readonly ContractCase[] = [
  {
    title: "update calls a function with the present value, stores what it returns, and publishes it",
    run: async ({ openStore, server }) => {
      const store = openStore();
      await store.store("k", { n: 1 });
      assert.isTrue(await store.update("k", (present: unknown) => ({ n: (present as { n: number }).n + 1 })));
      assert.isTrue(await store.update("k", async (present: unknown) => ({ n: (present as { n: number }).n + 1 })));
      assert.deepEqual(await openStore().retrieve("k"), { n: 3 });
      assert.deepEqual(
        (await published(server)).map(({ version, value }) => [version, value]),
        [
          [1, '{"n":1}'],
          [2, '{"n":2}'],
          [3, '{"n":3}'],
        ],
      );
    },
  },
  {
    title: "update calls a function with undefined for an absent, a deleted and an expired key, and creates it",
    run: async ({ openStore, setClock }) => {
      const now = Date.UTC(2030, 0, 1);
      setClock(now);
      const store = openStore();
      await store.store("deleted", 1);
      await store.delete("deleted");
      await store.store("expired", 1, { ttl: 1 });
      setClock(now + 2_000);
      for (const key of ["absent", "deleted", "expired"]) {
        const seen: unknown[] = [];
        await store.update(key, (present: unknown) => seen.push(present));
        assert.deepEqual(seen, [undefined]);
        assert.equal(await store.retrieve(key), 1);
      }
    },
  },
  {
    title: "update with a function keeps format, ttl and tags unless they are given",
    run: async ({ openStore }) => {
      const store = openStore();
      await store.store("k", "a", { format: "text", ttl: 60, tags: ["t"] });
      await store.update("k", (present: unknown) => `${String(present)}b`);
      assert.deepInclude(await store.getMetadata("k"), { format: "text", ttl: 60, tags: ["t"], version: 2 });
      await store.update("k", (present: unknown) => [present], { format: "json", ttl: null, tags: [] });
      assert.deepInclude(await store.getMetadata("k"), { format: "json", ttl: null, tags: [], version: 3 });
      assert.deepEqual(await openStore().retrieve("k"), ["ab"]);
      await store.update("bytes", () => new Uint8Array([1]), { format: "binary" });
      await store.update("bytes", (present: unknown) => new Uint8Array([...(present as Uint8Array), 2]));
      assert.deepEqual(await openStore().retrieve("bytes"), new Uint8Array([1, 2]));
    },
  },
  {
    title: "A function gets a copy that it may change, and what it returns is captured",
    run: async ({ openStore }) => {
      const store = openStore();
      await store.store("k", [1]);
      const returned: number[][] = [];
      const push = (present: unknown): number[] => {
        const list = present as number[];
        list.push(2);
        returned.push(list);
        return list;
      };
      const updating = store.update("k", push);
      const failing = rejection(
        store.update("k", (present: unknown) => {
          (present as number[]).push(3);
          throw new Error("changed my mind");
        }),
      );
      await Promise.all([updating, failing]);
      returned[0]?.push(4);
      assert.deepEqual(await store.retrieve("k"), [1, 2]);
    },
  },
  ...[increment, incrementLater].map((compute): ContractCase => ({
    title: `200 concurrent increments through two stores of a page and another engine count to 200, with ${compute.name}`,
    run: async ({ openStore, server }) => {
      const stores = [openStore(), openStore(), openStore({ timeoutMs: 10_000 })];
      await Promise.all(Array.from({ length: 200 }, (_, index) => (stores[index % 3] as NASKeyStore).update("count", compute)));
      assert.equal(await openStore().retrieve("count"), 200);
      assert.equal((await published(server)).at(-1)?.version, 200);
    },
  })),
  {
    title: "A function runs again when another tab has written the key meanwhile",
    run: async ({ openStore, openTab }) => {
      const store = openStore();
      const tab = await openTab();
      const seen: unknown[] = [];
      await store.update("k", async (present: unknown) => {
        seen.push(present);
        if (seen.length === 1) await tab.store("k", 10);
        if (seen.length === 2) await tab.delete("k");
        return `from ${String(present)}`;
      });
      assert.deepEqual(seen, [undefined, 10, undefined]);
      assert.deepEqual(await openStore().retrieve("k"), "from undefined");
    },
  },
  {
    title: "A read that is called after an update with a function that returns no promise sees its result",
    run: async ({ openStore }) => {
      const store = openStore();
      void store.update("k", increment);
      void store.update("k", increment);
      assert.equal(await store.retrieve("k"), 2);
      void store.update("k", increment);
      assert.deepEqual(await store.bulkRetrieve(["k"]), new Map([["k", 3]]));
      void store.update("k", increment);
      assert.equal((await store.getMetadata("k"))?.version, 4);
    },
  },
  {
    title: "Stores, updates and deletes of a key and functions that return no promise take effect in the order of the calls",
    run: async ({ openStore }) => {
      const store = openStore();
      await Promise.all([
        store.store("k", 5),
        store.update("k", increment),
        store.update("k", 10),
        store.update("k", increment),
        store.bulkStore({ k: 20 }),
        store.update("k", increment),
        store.delete("k"),
        store.update("k", increment),
        store.update("k", increment),
      ]);
      assert.equal(await openStore().retrieve("k"), 2);
    },
  },
  {
    title: "While the promise of a function is under way, reads, writes and updates of the key go on, and the function runs again",
    run: async ({ openStore }) => {
      const store = openStore();
      await store.store("k", 1);
      let finish = (): void => undefined;
      const finished = new Promise<void>((resolve) => (finish = resolve));
      let begin = (): void => undefined;
      const begun = new Promise<void>((resolve) => (begin = resolve));
      const slow = store.update("k", async (present: unknown) => {
        begin();
        await finished;
        return increment(present);
      });
      await begun;
      assert.equal(await store.retrieve("k"), 1);
      await store.store("k", 10);
      await store.update("k", increment);
      assert.equal(await store.retrieve("k"), 11);
      finish();
      assert.isTrue(await slow);
      assert.equal(await openStore().retrieve("k"), 12);
    },
  },
  {
    title: "A function may read its own key and use other keys; other calls of them do not wait for each other for ever",
    run: async ({ openStore }) => {
      const store = openStore();
      await store.store("k", 1);
      await store.update("k", async (present: unknown) => {
        const own = await store.retrieve<number>("k", { useCache: false });
        assert.deepEqual([own, await store.exists("k"), (await store.getMetadata("k"))?.version], [present, true, 1]);
        await store.update("other", incrementLater);
        await store.flush();
        return [own, await store.retrieve("other"), await store.listKeys()];
      });
      assert.deepEqual(await openStore().retrieve("k"), [1, 1, ["k", "other"]]);
    },
  },
  ...(["store", "update", "nested function"] as const).map((how): ContractCase => ({
    title: `A function that writes its own key each time it runs (${how}) rejects VERSION_CONFLICT with the remedy, and does not hang`,
    run: async ({ openStore }) => {
      const store = openStore();
      let runs = 0;
      const write = async (): Promise<unknown> => {
        runs++;
        if (how === "nested function") return store.update("k", incrementLater);
        return store[how]("k", runs);
      };
      const updating = store.update("k", async () => {
        await write();
        return "outer";
      });
      const error = await assertRejects(updating, "VERSION_CONFLICT");
      assert.equal(error.key, "k");
      assert.include(error.message, "must not write its own key");
      assert.equal(await store.retrieve("k"), runs);
    },
  })),
  {
    title: "What a function throws or rejects with rejects the call, and nothing has changed",
    run: async ({ openStore, server }) => {
      const store = openStore();
      await store.store("k", 1);
      const reasons: unknown[] = [new Error("failed"), "a string", undefined];
      for (const reason of reasons) {
        const failing = (): never => {
          throw reason;
        };
        assert.strictEqual<unknown>(await rejection(store.update("k", failing)), reason);
        assert.strictEqual<unknown>(await rejection(store.update("k", async () => failing())), reason);
      }
      assert.equal((await store.getMetadata("k"))?.version, 1);
      assert.isTrue(await store.update("k", increment));
      assert.lengthOf(await server.messages(), 2);
    },
  },
  {
    title: "A function whose result the format cannot keep rejects INVALID_VALUE, undefined included, and nothing has changed",
    run: async ({ openStore }) => {
      const store = openStore();
      await store.store("k", 1);
      for (const invalid of [undefined, 1n, () => 1]) {
        assert.equal(
          (
            await assertRejects(
              store.update("k", () => invalid),
              "INVALID_VALUE",
            )
          ).key,
          "k",
        );
        await assertRejects(
          store.update("k", async () => invalid),
          "INVALID_VALUE",
        );
      }
      await store.store("text", "a", { format: "text" });
      await assertRejects(
        store.update("text", () => 5),
        "INVALID_VALUE",
      );
      await assertRejects(
        store.store("k", () => 1),
        "INVALID_VALUE",
      );
      assert.equal((await store.getMetadata("k"))?.version, 1);
    },
  },
  {
    title: "With ifVersion a function runs for that version only, and any other one rejects VERSION_CONFLICT",
    run: async ({ openStore, openTab }) => {
      const store = openStore();
      const tab = await openTab();
      await store.store("k", 1);
      const calls: unknown[] = [];
      const compute = (present: unknown): number => calls.push(present);
      await assertRejects(store.update("k", compute, { ifVersion: 0 }), "VERSION_CONFLICT");
      await assertRejects(store.update("k", compute, { ifVersion: 2 }), "VERSION_CONFLICT");
      assert.isEmpty(calls);
      assert.isTrue(await store.update("k", increment, { ifVersion: 1 }));
      const overtaken = store.update(
        "k",
        async (present: unknown) => {
          calls.push(present);
          await tab.store("k", 10);
          return 0;
        },
        { ifVersion: 2 },
      );
      await assertRejects(overtaken, "VERSION_CONFLICT");
      assert.deepEqual(calls, [2]);
      assert.equal(await store.retrieve("k", { useCache: false }), 10);
    },
  },
  {
    title: "update of a damaged entry with a function rejects CHECKSUM_MISMATCH, dispatches `corrupt`, and does not call the function",
    run: async ({ openStore, database }) => {
      await openStore().store("k", "value");
      await database.flipBit("k");
      const store = openStore();
      const corrupt = details(store, "corrupt");
      const calls: unknown[] = [];
      await assertRejects(
        store.update("k", (present: unknown) => calls.push(present)),
        "CHECKSUM_MISMATCH",
      );
      assert.isEmpty(calls);
      assert.deepEqual(
        corrupt.map(({ key }) => key),
        ["k"],
      );
      assert.isTrue(await store.update("k", "new"));
      assert.isTrue(await store.update("k", (present: unknown) => `${String(present)} again`));
      assert.equal(await openStore().retrieve("k"), "new again");
    },
  },
  {
    title: "Increments offline are queued, and the last one is published once the server answers",
    outage: true,
    run: async ({ openStore, server }) => {
      await server.disconnect();
      const store = openStore();
      await store.store("other", 1);
      const results = await Promise.all(Array.from({ length: 20 }, () => store.update("count", increment)));
      assert.isTrue(results.every((isConfirmed) => !isConfirmed));
      await server.restore();
      await store.flush();
      assert.deepEqual((await published(server, "count")).at(-1), { key: "count", version: 20, value: "20" });
      assert.isEmpty(await store.pendingWrites());
    },
  },
  {
    title: "A signal ends the wait for a function's promise at once, and nothing has changed",
    run: async ({ openStore, database }) => {
      const store = openStore();
      const controller = new AbortController();
      const reason = new Error("no longer needed");
      let begin = (): void => undefined;
      const begun = new Promise<void>((resolve) => (begin = resolve));
      const never = (): Promise<never> => {
        begin();
        return new Promise(() => undefined);
      };
      const updating = rejection(store.update("k", never, { signal: controller.signal }));
      await begun;
      controller.abort(reason);
      assert.strictEqual<unknown>(await updating, reason);
      const calls: unknown[] = [];
      const late = store.update("k", (present: unknown) => calls.push(present), { signal: AbortSignal.abort(reason) });
      assert.strictEqual<unknown>(await rejection(late), reason);
      assert.isEmpty(calls);
      assert.isEmpty(await database.keys());
    },
  },
  {
    title: "close waits for an update whose function's promise is under way",
    run: async ({ openStore }) => {
      const store = openStore();
      const updating = store.update("k", async () => {
        await openStore().store("other", 1);
        await assertRejects(store.retrieve("k"), "CLOSED");
        return "done";
      });
      await store.close();
      assert.isTrue(await updating);
      assert.equal(await openStore().retrieve("k"), "done");
    },
  },
];
