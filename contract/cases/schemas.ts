import { assert } from "chai";
import type { KeyMetadata, KeyStoreOptions } from "nas-keystore";
import type { ContractCase } from "../environment.ts";
import { assertRejects, rejection } from "../support/assertions.ts";
import { details, nextEvent } from "../support/events.ts";
import { distinct } from "../support/messages.ts";
import { until, untilPublished } from "../support/waiting.ts";

type Schema = NonNullable<KeyStoreOptions["schemas"]>[string];
type Validate = Schema["~standard"]["validate"];

/** A Standard Schema of no library. */
function schema(validate: Validate): Schema {
  return { "~standard": { version: 1, vendor: "contract", validate } };
}

/** A user with a first and a last name. Adds the role "guest". */
const checkUser = (value: unknown): Awaited<ReturnType<Validate>> => {
  const { first, last, role = "guest" } = Object(value) as Record<string, unknown>;
  if (typeof first === "string" && typeof last === "string") return { value: { first, last, role } };
  return { issues: [{ message: "must have a first and a last name", path: ["first"] }] };
};
const KINDS = { synchronous: schema(checkUser), asynchronous: schema(async (value) => checkUser(value)) };

const ADA = { first: "Ada", last: "Lovelace" };
const GUEST = { ...ADA, role: "guest" };
const OLD = { name: "Ada Lovelace" };
const split = (value: unknown): unknown => {
  const [first, last] = (value as typeof OLD).name.split(" ");
  return { first, last };
};

const ofKind = ([kind, user]: [string, Schema]): ContractCase[] => [
  {
    title: `A value that fits its ${kind} schema is stored and published as the schema returns it`,
    run: async ({ openStore, server }) => {
      const store = openStore({ schemas: { "user:*": user } });
      assert.isTrue(await store.store("user:1", ADA));
      assert.isTrue(await store.update("user:2", ADA));
      await store.bulkStore({ "user:3": ADA, other: OLD });
      const sent = distinct(await server.waitForMessages(4));
      for (const key of ["user:1", "user:2", "user:3"]) {
        assert.deepEqual(JSON.parse(sent.find((write) => write.key === key)?.value ?? ""), GUEST);
        assert.deepEqual(await store.retrieve(key), GUEST);
        assert.deepEqual(await store.retrieve(key, { useCache: false }), GUEST);
      }
      assert.deepEqual(await store.retrieve("other"), OLD);
    },
  },
  {
    title: `A value that does not fit its ${kind} schema rejects SCHEMA_MISMATCH with the issues, and changes and publishes nothing`,
    run: async ({ openStore, server }) => {
      const store = openStore({ schemas: { "user:*": user } });
      await store.store("user:1", ADA);
      for (const call of [
        () => store.store("user:1", OLD),
        () => store.update("user:1", OLD),
        () =>
          store.bulkStore([
            ["user:0", ADA],
            ["user:1", OLD],
          ]),
      ]) {
        const error = await assertRejects(call(), "SCHEMA_MISMATCH");
        assert.equal(error.key, "user:1");
        assert.deepEqual(error.issues, [{ message: "must have a first and a last name", path: ["first"] }]);
      }
      assert.deepEqual(await store.retrieve("user:1"), GUEST);
      assert.deepEqual(await store.listKeys(), ["user:1"]);
      assert.equal((await store.getMetadata("user:1"))?.version, 1);
      assert.lengthOf(await server.messages(), 1);
    },
  },
  {
    title: `A stored value that does not fit its ${kind} schema rejects SCHEMA_MISMATCH at each read, and is no damage`,
    run: async ({ openStore }) => {
      await openStore().bulkStore({ "user:1": OLD, other: 1 });
      const store = openStore({ schemas: { "user:*": user } });
      const corrupt = details(store, "corrupt");
      for (const read of [
        () => store.retrieve("user:1"),
        () => store.retrieve("user:1", { useCache: false }),
        () => store.bulkRetrieve(["other", "user:1"]),
      ]) {
        const error = await assertRejects(read(), "SCHEMA_MISMATCH");
        assert.equal(error.key, "user:1");
        assert.lengthOf(error.issues ?? [], 1);
      }
      assert.isTrue(await store.exists("user:1"));
      assert.deepEqual(await store.listKeys(), ["other", "user:1"]);
      assert.equal((await store.getMetadata("user:1"))?.version, 1);
      assert.isTrue(await store.store("user:1", ADA));
      assert.deepEqual(await store.retrieve("user:1"), GUEST);
      assert.deepEqual(corrupt, []);
    },
  },
  {
    title: `A stored value that no longer fits its ${kind} schema is migrated, and written back once, as a store`,
    run: async ({ openStore, server }) => {
      await openStore().store("user:1", OLD, { tags: ["people"] });
      const asked: [unknown, KeyMetadata][] = [];
      const store = openStore({
        schemas: { "user:*": user },
        migrate: (...given) => {
          asked.push(given);
          return split(given[0]);
        },
      });
      const published = nextEvent(store, "published");
      const reads = await Promise.all([store.retrieve("user:1"), store.retrieve("user:1"), store.bulkRetrieve(["user:1"])]);
      assert.deepEqual(reads, [GUEST, GUEST, new Map([["user:1", GUEST]])]);
      const { key, version, operation } = await published;
      assert.deepEqual({ key, version, operation }, { key: "user:1", version: 2, operation: "store" });
      assert.deepEqual(await openStore().retrieve("user:1"), GUEST);
      const metadata = await store.getMetadata("user:1");
      assert.deepEqual(metadata?.tags, ["people"]);
      assert.lengthOf(asked, 1);
      assert.deepEqual(asked[0]?.[0], OLD);
      assert.equal(asked[0]?.[1].version, 1);
      assert.deepEqual(await store.retrieve("user:1"), GUEST);
      assert.lengthOf(await server.messages(), 2);
    },
  },
];

/** The options `schemas` and `migrate`. */
export const schemas: readonly ContractCase[] = [
  ...Object.entries(KINDS).flatMap(ofKind),
  {
    title: "A schema gets the value as the format keeps it, and as it was at the time of the call",
    run: async ({ openStore }) => {
      const seen: unknown[] = [];
      let go = (): void => undefined;
      const ready = new Promise<void>((resolve) => (go = resolve));
      const slow = schema(async (value) => {
        await ready;
        seen.push(value);
        return { value };
      });
      const store = openStore({ schemas: { "*": slow } });
      const value = { at: new Date(0), absent: undefined };
      const writes = [store.store("a", value), store.update("b", value), store.bulkStore({ c: value })];
      value.at.setTime(1);
      go();
      await Promise.all(writes);
      assert.deepEqual(
        seen,
        [1, 2, 3].map(() => ({ at: "1970-01-01T00:00:00.000Z" })),
      );
    },
  },
  {
    title: "A schema that refuses what it returns stores nothing",
    run: async ({ openStore }) => {
      const toNumber = schema((value) => (typeof value === "string" ? { value: Number(value) } : { issues: [{ message: "no text" }] }));
      const store = openStore({ schemas: { "*": toNumber } });
      await assertRejects(store.store("k", "5"), "SCHEMA_MISMATCH");
      assert.isFalse(await store.exists("k"));
    },
  },
  {
    title: "A schema that fails rejects SCHEMA_MISMATCH with the cause and without issues",
    run: async ({ openStore }) => {
      await openStore().store("k", 1);
      const cause = new Error("no network");
      const store = openStore({
        schemas: {
          "*": schema(() => {
            throw cause;
          }),
        },
        migrate: () => assert.fail("A value that was not checked must not be migrated."),
      });
      for (const call of [() => store.store("k", 2), () => store.retrieve("k")]) {
        const error = await assertRejects(call(), "SCHEMA_MISMATCH");
        assert.strictEqual(error.cause, cause);
        assert.isUndefined(error.issues);
      }
      assert.equal(await openStore().retrieve("k"), 1);
    },
  },
  {
    title: "The first pattern that matches a key gives its schema",
    run: async ({ openStore }) => {
      const isNumber = schema((value) => (typeof value === "number" ? { value } : { issues: [{ message: "no number" }] }));
      const store = openStore({ schemas: { "user:[0-9]": isNumber, "user:*": KINDS.synchronous } });
      assert.isTrue(await store.store("user:1", 1));
      await assertRejects(store.store("user:1", ADA), "SCHEMA_MISMATCH");
      assert.isTrue(await store.store("user:10", ADA));
    },
  },
  {
    title:
      "SCHEMA_MISMATCH comes after CLOSED, INVALID_KEY, INVALID_OPTION, an aborted signal and INVALID_VALUE, and before PAYLOAD_TOO_LARGE",
    run: async ({ openStore }) => {
      const store = openStore({ schemas: { "*": KINDS.synchronous }, maxPayloadBytes: 500 });
      await assertRejects(store.store("", OLD), "INVALID_KEY");
      await assertRejects(store.store("k", OLD, { ttl: -1 }), "INVALID_OPTION");
      const reason = new Error("no longer needed");
      assert.strictEqual<unknown>(await rejection(store.store("k", OLD, { signal: AbortSignal.abort(reason) })), reason);
      await assertRejects(
        store.store("k", () => OLD),
        "INVALID_VALUE",
      );
      await assertRejects(store.store("k", "x".repeat(1_000)), "SCHEMA_MISMATCH");
      await assertRejects(store.store("k", { first: "x".repeat(1_000), last: "" }), "PAYLOAD_TOO_LARGE");
      await store.close();
      await assertRejects(store.store("k", OLD), "CLOSED");
      await assertRejects(store.retrieve("k"), "CLOSED");
    },
  },
  {
    title: "A damaged entry rejects CHECKSUM_MISMATCH, and an expired one is absent, whatever the schema of the key",
    run: async ({ openStore, database, setClock }) => {
      await openStore().bulkStore([["damaged", OLD]]);
      await openStore().store("expired", OLD, { ttl: 1 });
      await database.flipBit("damaged");
      const store = openStore({ schemas: { "*": KINDS.synchronous }, migrate: split });
      const corrupt = details(store, "corrupt");
      await assertRejects(store.retrieve("damaged"), "CHECKSUM_MISMATCH");
      assert.lengthOf(corrupt, 1);
      setClock(Date.now() + 2_000);
      assert.isUndefined(await store.retrieve("expired"));
    },
  },
  {
    title: "A value that another tab has stored is checked when it is read",
    run: async ({ openStore, openTab }) => {
      const store = openStore({ schemas: { "*": KINDS.synchronous } });
      await store.store("k", ADA);
      await store.retrieve("k");
      const tab = await openTab();
      await tab.store("k", OLD);
      await until("the store sees the write", async () => (await store.getMetadata("k"))?.version === 2);
      await assertRejects(store.retrieve("k", { useCache: false }), "SCHEMA_MISMATCH");
    },
  },
  {
    title: "A value that cannot be migrated rejects SCHEMA_MISMATCH at each read, and stays as it is",
    run: async ({ openStore, server }) => {
      await openStore().store("k", OLD);
      const cause = new Error("no last name");
      const wrong: readonly [migrate: () => unknown, cause: unknown][] = [
        [() => ({ first: "Ada" }), undefined],
        [() => undefined, undefined],
        [() => Promise.reject(cause), cause],
      ];
      for (const [migrate, expected] of wrong) {
        const store = openStore({ schemas: { "*": KINDS.synchronous }, migrate });
        const error = await assertRejects(store.retrieve("k"), "SCHEMA_MISMATCH");
        assert.strictEqual(error.cause, expected);
        assert.lengthOf(error.issues ?? [], 1);
      }
      assert.deepEqual(await openStore().retrieve("k"), OLD);
      assert.lengthOf(await server.messages(), 1);
    },
  },
  {
    title: "A migrated value never replaces a newer write, and close waits for it",
    run: async ({ openStore }) => {
      const other = openStore();
      await other.store("k", OLD);
      const store = openStore({
        schemas: { "*": KINDS.synchronous },
        migrate: async (value) => {
          await other.store("k", { first: "Eve", last: "Moneypenny" });
          return split(value);
        },
      });
      const read = store.retrieve("k");
      const closed = store.close();
      assert.deepEqual(await read, GUEST);
      await closed;
      const next = openStore({ schemas: { "*": KINDS.synchronous } });
      assert.deepEqual(await next.retrieve("k"), { first: "Eve", last: "Moneypenny", role: "guest" });
      assert.equal((await next.getMetadata("k"))?.version, 2);
    },
  },
  {
    title: "A migrated entry expires when it would have",
    run: async ({ openStore, setClock }) => {
      const start = Date.now();
      setClock(start);
      await openStore().store("k", OLD, { ttl: 100 });
      setClock(start + 40_000);
      const store = openStore({ schemas: { "*": KINDS.synchronous }, migrate: split });
      const published = nextEvent(store, "published");
      await store.retrieve("k");
      await published;
      const metadata = await store.getMetadata("k");
      assert.equal(metadata?.expiresAt?.getTime(), start + 100_000);
      assert.equal(metadata?.ttl, 60);
    },
  },
  {
    title: "A value that is migrated offline is returned, and written back and published later",
    outage: true,
    run: async ({ openStore, server }) => {
      await openStore().store("k", OLD);
      await server.disconnect();
      const store = openStore({ schemas: { "*": KINDS.synchronous }, migrate: split });
      assert.deepEqual(await store.retrieve("k"), GUEST);
      await until("the value is written back", async () => (await store.pendingWrites()).some(({ version }) => version === 2));
      assert.deepEqual(await openStore().retrieve("k"), GUEST);
      await server.restore();
      await untilPublished(store);
      assert.lengthOf(await server.waitForMessages(2), 2);
    },
  },
];
