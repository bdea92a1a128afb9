import { assert } from "chai";
import type { ContractCase } from "../environment.ts";
import { assertRejects, rejection } from "../support/assertions.ts";
import { watched } from "../support/changes.ts";
import { envelopeOf } from "../support/envelopes.ts";
import { details } from "../support/events.ts";
import { createStream, otherBrowser } from "../support/other-browser.ts";

/** Pulls from a stream: durable mode. */
export const pull: readonly ContractCase[] = [
  {
    title: "The first pull reads the last message of each key. The next pull reads only newer messages",
    jetstream: true,
    run: async (environment) => {
      await createStream(environment);
      const other = otherBrowser(environment);
      await other.store("a", 1);
      await other.store("b", 1);
      await other.store("a", 2, { version: 2 });
      const store = environment.openStore({ durable: true });
      assert.deepEqual(await store.pull(), { applied: 2, deleted: 0, skipped: 0, rejected: 0, revision: 3 });
      assert.deepEqual([await store.retrieve("a"), await store.retrieve("b")], [2, 1]);
      assert.equal((await store.getMetadata("a"))?.revision, 3);

      assert.deepEqual(await store.pull(), { applied: 0, deleted: 0, skipped: 0, rejected: 0, revision: 3 });
      await other.delete("b");
      await other.store("c", 3);
      const done: number[][] = [];
      const onProgress = (...figures: number[]): number => done.push(figures);
      assert.deepEqual(await store.pull({ onProgress }), { applied: 1, deleted: 1, skipped: 0, rejected: 0, revision: 5 });
      assert.deepEqual(done, [[2, 2]]);
      assert.deepEqual(await store.listKeys(), ["a", "c"]);
    },
  },
  {
    title: "A pull with `full` reads every message again, and skips those that are not newer than the entry",
    jetstream: true,
    run: async (environment) => {
      await createStream(environment);
      const other = otherBrowser(environment);
      await other.store("a", 1);
      await other.store("b", 1);
      const store = environment.openStore({ durable: true });
      await store.pull();
      assert.deepEqual(await store.pull({ full: true }), { applied: 0, deleted: 0, skipped: 2, rejected: 0, revision: 2 });
    },
  },
  {
    title: "After clearCache, the next pull reads every message again",
    jetstream: true,
    run: async (environment) => {
      await createStream(environment);
      await otherBrowser(environment).store("a", 1);
      const store = environment.openStore({ durable: true });
      await store.pull();
      await store.clearCache();
      assert.deepInclude(await store.pull(), { applied: 1, revision: 1 });
      assert.equal(await store.retrieve("a"), 1);
    },
  },
  {
    title: "A pull of a pattern brings the keys that match it; a later pull of all of them brings the others",
    jetstream: true,
    run: async (environment) => {
      await createStream(environment);
      const other = otherBrowser(environment);
      for (const key of ["user:1", "user:2", "theme"]) await other.store(key, 1);
      const store = environment.openStore({ durable: true });
      assert.deepInclude(await store.pull({ pattern: "user:*" }), { applied: 2, revision: 3 });
      assert.deepEqual(await store.listKeys(), ["user:1", "user:2"]);
      assert.deepInclude(await store.pull({ pattern: "user:*" }), { applied: 0, skipped: 0 });
      assert.deepInclude(await store.pull({ pattern: "theme" }), { applied: 1, revision: 3 });
      assert.deepInclude(await store.pull(), { applied: 0, skipped: 3 });
      assert.deepInclude(await store.pull({ pattern: "user:*" }), { applied: 0, skipped: 0 });
    },
  },
  {
    title: "A pull is reported to watches as remote, and own writes that come back are not",
    jetstream: true,
    run: async (environment) => {
      await createStream(environment);
      const other = otherBrowser(environment);
      const store = environment.openStore({ durable: true });
      assert.isTrue(await store.store("own", 1));
      const changes = watched(store);
      await other.store("a", 1, { version: 4 });
      assert.deepInclude(await store.pull(), { applied: 1, skipped: 1, revision: 2 });
      await other.delete("a", { version: 5 });
      await other.delete("absent");
      assert.deepInclude(await store.pull(), { deleted: 1, skipped: 1, revision: 4 });
      assert.deepEqual(changes, ["remote store a 4", "remote delete a 5"]);
      assert.equal((await store.getMetadata("own"))?.revision, 1);
    },
  },
  {
    title: "Messages of the Python original are pulled: MD5, no checksum, local times, deletes without a version",
    jetstream: true,
    run: async (environment) => {
      await createStream(environment);
      const other = otherBrowser(environment);
      const python = { created_at: "2026-01-02T03:04:05.678901", updated_at: "2026-01-02T03:04:05.678901", ttl: null, tags: ["t"] };
      await other.store("a", { x: 1 }, { ...python, checksum: "d41d8cd98f00b204e9800998ecf8427e" });
      await other.store("b", 1, python);
      const store = environment.openStore({ durable: true });
      assert.deepInclude(await store.pull(), { applied: 2, rejected: 0 });
      assert.deepEqual(await store.retrieve("a"), { x: 1 });
      await other.delete("b", { timestamp: "2026-01-02T03:04:05.678901" });
      assert.deepInclude(await store.pull(), { deleted: 1, rejected: 0 });
      assert.isFalse(await store.exists("b"));
      // No version goes back.
      await store.store("b", 2);
      assert.isAbove((await store.getMetadata("b"))!.version, 1);
    },
  },
  {
    title: "pull counts malformed, damaged and foreign messages as rejected, and does not store them",
    jetstream: true,
    run: async (environment) => {
      await createStream(environment);
      const { jetstream, namespace } = environment;
      const other = otherBrowser(environment);
      const publish = (token: string, data: string): Promise<number> => jetstream.publish(`_kv.${namespace}.key.${token}`, data);
      await publish("rubbish", "no envelope");
      await publish("empty", "");
      await publish("null", "null");
      await publish("other-key", JSON.stringify(envelopeOf("a", "1")));
      await publish("%61", JSON.stringify(envelopeOf("a", "1")));
      await publish("two.tokens", JSON.stringify(envelopeOf("two.tokens", "1")));
      await publish("wrong-%ff", JSON.stringify(envelopeOf("wrong-", "1")));
      await other.store("pickle", 1, { format: "pickle" });
      await other.store("damaged", 1, { checksum: "0".repeat(64) });
      await other.store("no-version", 1, { version: 0 });
      await other.delete("bad-delete", { version: -1 });
      await other.store("good", 1);
      const store = environment.openStore({ durable: true });
      assert.deepEqual(await store.pull(), { applied: 1, deleted: 0, skipped: 0, rejected: 11, revision: 12 });
      assert.deepEqual(await store.listKeys(), ["good"]);
    },
  },
  {
    title: "A damaged entry is repaired by a full pull, or when it is retrieved with pull",
    jetstream: true,
    run: async (environment) => {
      await createStream(environment);
      const store = environment.openStore({ durable: true });
      const lost = details(store, "conflict");
      await store.store("mine", 1);
      await otherBrowser(environment).store("theirs", 2);
      await store.pull();
      const read = (options: object = {}) =>
        Promise.all(["mine", "theirs"].map((key) => store.retrieve(key, { ...options, useCache: false })));
      const damage = async (): Promise<void> => {
        for (const key of ["mine", "theirs"]) await environment.database.flipBit(key);
        await assertRejects(read(), "CHECKSUM_MISMATCH");
      };
      await damage();
      assert.deepInclude(await store.pull({ full: true }), { applied: 2, skipped: 0 });
      assert.deepEqual(await read(), [1, 2]);
      assert.deepInclude(await store.pull({ full: true }), { applied: 0, skipped: 2 });
      await damage();
      assert.deepEqual(await read({ pull: "always" }), [1, 2]);
      assert.deepEqual(lost, []);
    },
  },
  {
    title: "An expired message is not stored, and the entry that it has replaced goes",
    jetstream: true,
    run: async (environment) => {
      await createStream(environment);
      const other = otherBrowser(environment);
      await other.store("a", 1);
      const store = environment.openStore({ durable: true });
      await store.pull();
      await other.store("a", 2, { version: 2, ttl: 1 });
      await other.store("b", 2, { version: 2, ttl: 1 });
      assert.deepInclude(await store.pull(), { applied: 0, deleted: 1, skipped: 1, rejected: 0 });
      assert.deepEqual(await store.listKeys(), []);
    },
  },
  {
    title: "A pull leaves writes that are not confirmed, which are published afterwards",
    jetstream: true,
    outage: true,
    run: async (environment) => {
      await createStream(environment);
      const other = otherBrowser(environment);
      await other.store("a", "theirs");
      const store = environment.openStore({ durable: true });
      await environment.server.disconnect();
      assert.isFalse(await store.store("a", "mine"));
      await environment.server.restore();
      const { applied, skipped } = await store.pull();
      assert.equal(await store.retrieve("a"), "mine");
      assert.equal(applied, 0);
      assert.isAtMost(skipped, 1);
      await store.flush();
      await store.pull();
      assert.equal(await store.retrieve("a"), "mine");
      assert.equal((await store.getMetadata("a"))?.revision, 2);
    },
  },
  {
    title: "A stream that was created again is pulled from its beginning",
    jetstream: true,
    run: async (environment) => {
      await createStream(environment);
      const other = otherBrowser(environment);
      for (let n = 1; n <= 3; n++) await other.store("a", n, { version: n });
      const store = environment.openStore({ durable: true });
      await store.pull();
      await environment.jetstream.deleteStream(`NAS_${environment.namespace}`);
      await createStream(environment);
      await other.store("b", 1);
      await other.store("a", "new", { version: 9 });
      assert.deepInclude(await store.pull(), { applied: 2, revision: 2 });
      assert.equal(await store.retrieve("a"), "new");
      assert.equal((await store.getMetadata("a"))?.revision, 2);
    },
  },
  {
    title: "A pull understands streams with a history, without direct get, or with more subjects",
    jetstream: true,
    run: async (environment) => {
      const { namespace } = environment;
      await createStream(environment, {
        name: `HISTORY_${namespace}`,
        subjects: [`_kv.${namespace}.>`, `${namespace}.other`],
        max_msgs_per_subject: 5,
        allow_direct: false,
      });
      const other = otherBrowser(environment);
      for (let n = 1; n <= 3; n++) await other.store("a", n, { version: n });
      await other.store("b", 1);
      await environment.jetstream.publish(`${namespace}.other`, "other");
      const store = environment.openStore({ durable: true });
      assert.deepInclude(await store.pull(), { applied: 2, rejected: 0, revision: 5 });
      assert.equal(await store.retrieve("a"), 3);
      for (let n = 4; n <= 5; n++) await other.store("a", n, { version: n });
      await environment.jetstream.publish(`${namespace}.other`, "other");
      assert.deepInclude(await store.pull(), { rejected: 0, revision: 8 });
      assert.equal(await store.retrieve("a"), 5);
    },
  },
  {
    title: "A store with encryption encrypts the messages in plain text that it pulls",
    jetstream: true,
    run: async (environment) => {
      await createStream(environment);
      await otherBrowser(environment).store("a", { secret: 1 });
      const key = await environment.library.deriveKey("passphrase", "salt", { iterations: 1_000 });
      const store = environment.openStore({ durable: true, encryption: { key } });
      assert.deepInclude(await store.pull(), { applied: 1 });
      assert.isTrue((await store.getMetadata("a"))?.encrypted);
      assert.deepEqual(await store.retrieve("a"), { secret: 1 });
    },
  },
  {
    title: "Two pulls at once end with the same store as one",
    jetstream: true,
    run: async (environment) => {
      await createStream(environment);
      const other = otherBrowser(environment);
      for (let n = 0; n < 20; n++) await other.store(`k${n % 10}`, n, { version: n + 1 });
      const store = environment.openStore({ durable: true });
      const results = await Promise.all([store.pull(), store.pull()]);
      assert.sameDeepMembers(
        results.map(({ applied, revision }) => [applied, revision]),
        [
          [10, 20],
          [0, 20],
        ],
      );
      assert.equal(await store.retrieve("k9"), 19);
    },
  },
  {
    title: "pull rejects without a stream, with an aborted signal, and without durable mode",
    jetstream: true,
    run: async (environment) => {
      const store = environment.openStore({ durable: true });
      await assertRejects(store.pull(), "STREAM_UNAVAILABLE");
      await createStream(environment);
      const reason = new Error("not needed");
      assert.equal(await rejection(store.pull({ signal: AbortSignal.abort(reason) })), reason);
      assert.deepInclude(await store.pull(), { applied: 0, revision: 0 });
      const plain = environment.openStore({ namespace: `${environment.namespace}-plain` });
      assert.equal((await assertRejects(plain.pull(), "INVALID_OPTION")).option, "pull");
    },
  },
];
