import { assert } from "chai";
import type { ContractCase } from "../environment.ts";
import { details } from "../support/events.ts";
import { watched } from "../support/changes.ts";
import { createStream, otherBrowser } from "../support/other-browser.ts";

export const conflictEvent: ContractCase = {
  title: "`conflict` is dispatched when another browser overrules a write of this one that it had not seen, after its change",
  jetstream: true,
  run: async (environment) => {
    await createStream(environment);
    const store = environment.openStore({ durable: true });
    const second = environment.openStore({ durable: true });
    const order: string[] = [];
    store.addEventListener("conflict", ({ detail }) => order.push(`conflict ${detail.key}`));
    store.watch("*", ({ source, type }) => order.push(`${source} ${type}`));
    const lost = details(second, "conflict");
    assert.isTrue(await store.store("a", { mine: 1 }, { tags: ["t"] }));
    await otherBrowser(environment).store("a", "theirs", { version: 1 }, 0);
    assert.deepInclude(await store.pull(), { applied: 1, revision: 2 });
    assert.deepEqual(order, ["local store", "remote store", "conflict a"]);
    assert.equal(await store.retrieve("a"), "theirs");
    const [conflict, ...others] = lost;
    assert.deepEqual(others, []);
    assert.deepEqual([conflict?.key, conflict?.lost], ["a", { mine: 1 }]);
    assert.deepInclude(conflict?.metadata, { key: "a", version: 1, revision: 1, tags: ["t"], pending: false });
  },
};

/** Two browsers write one key: the order of the stream decides. */
export const conflicts: readonly ContractCase[] = [
  {
    title: "A write that has seen the present one is no conflict",
    jetstream: true,
    run: async (environment) => {
      await createStream(environment);
      const other = otherBrowser(environment);
      const store = environment.openStore({ durable: true });
      const lost = details(store, "conflict");
      await store.store("seen", 1);
      await store.store("older-version", 1);
      await store.store("newer-version", 1);
      await other.store("seen", 2, { version: 1 }, 1);
      await other.store("newer-version", 2, { version: 2 });
      await other.store("pulled", 1);
      await store.pull();
      await other.store("pulled", 2, { version: 1 }, 0);
      await other.store("older-version", 2, { version: 1 });
      await store.pull();
      // Without a base, versions tell: the last one was overruled.
      assert.deepEqual(
        lost.map(({ key }) => key),
        ["older-version"],
      );
    },
  },
  {
    title: "A pulled entry replaces one of a higher version, in memory and for watches, and the next write continues above both",
    jetstream: true,
    run: async (environment) => {
      await createStream(environment);
      const other = otherBrowser(environment);
      const store = environment.openStore({ durable: true });
      for (const value of [1, 2, 3]) await store.store("a", value);
      const changes = watched(store);
      await other.store("a", "theirs", { version: 1 });
      await store.pull();
      assert.equal(await store.retrieve("a"), "theirs");
      await store.store("a", 4);
      await other.delete("a", { version: 2 });
      await store.pull();
      assert.isFalse(await store.exists("a"));
      await store.store("a", 5);
      assert.deepEqual(changes, ["remote store a 1", "local store a 4", "remote delete a 2", "local store a 5"]);
    },
  },
  {
    title: "A delete of another browser that has not seen a write is a conflict, and the lost value of an encrypted entry is decrypted",
    jetstream: true,
    run: async (environment) => {
      await createStream(environment);
      const key = await environment.library.deriveKey("passphrase", "salt", { iterations: 1_000 });
      const store = environment.openStore({ durable: true, encryption: { key } });
      const lost = details(store, "conflict");
      await store.store("a", { secret: 1 });
      await otherBrowser(environment).delete("a", { version: 1 }, 0);
      assert.deepInclude(await store.pull(), { deleted: 1 });
      assert.isFalse(await store.exists("a"));
      assert.deepEqual(
        lost.map(({ lost: value, metadata }) => [value, metadata.encrypted]),
        [[{ secret: 1 }, true]],
      );
    },
  },
  {
    title: "A write that waits for the server overrules an older one of the stream, and both browsers end with it",
    jetstream: true,
    outage: true,
    run: async (environment) => {
      await createStream(environment);
      const { jetstream, namespace } = environment;
      const store = environment.openStore({ durable: true });
      const lost = details(store, "conflict");
      await environment.server.disconnect();
      assert.isFalse(await store.store("a", "mine"));
      await otherBrowser(environment).store("a", "theirs");
      await environment.server.restore();
      await store.flush();
      const changes = watched(store);
      await store.pull();
      assert.equal(await store.retrieve("a"), "mine");
      assert.deepEqual([lost, changes], [[], []]);
      const [message] = await jetstream.stored(`NAS_${namespace}`);
      // The other browser learns that its write was not seen.
      assert.equal(message?.headers["Nas-Base"], "0");
      assert.equal(message?.sequence, 2);
    },
  },
];
