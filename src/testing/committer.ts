import { IDBTransaction } from "fake-indexeddb";
import { afterEach, vi } from "vitest";

import { Committer, type CommitterOptions } from "../storage/commit/committer.ts";
import type { Commit, Draft } from "../storage/commit/draft.ts";
import type { Database } from "../storage/idb/database.ts";
import { ENTRIES } from "../storage/idb/schema.ts";
import type { Settlement } from "../storage/outbox/outbox-record.ts";
import { GroupingClock } from "./fake-clock.ts";
import { openDatabase } from "./indexeddb.ts";

export const CONFIRMED: Settlement = { state: "confirmed" };
export const FAILED: Settlement = { state: "queued", error: "lost" };
export const REJECTED: Settlement = { state: "rejected", error: "denied" };

const committers = new Set<Committer>();

// A task that is left over must not run in the database of the next test.
afterEach(async () => {
  await Promise.all(Array.from(committers, (committer) => committer.close()));
  committers.clear();
});

/** The committer of the instance "me", which may publish at once. Its callbacks do nothing by default. */
export function newCommitter(database: Database, given: Partial<CommitterOptions> = {}): Committer {
  const committer = new Committer(database, {
    instanceId: "me",
    clock: new GroupingClock(),
    mayPublish: () => true,
    isInMemory: () => false,
    onCommitted: () => undefined,
    makeRoom: async () => false,
    ...given,
  });
  committers.add(committer);
  return committer;
}

/** Commits one draft. */
export async function commitOne(committer: Committer, draft: Draft): Promise<Commit> {
  const [commit] = await committer.commit([draft]);
  return commit as Commit;
}

/** A committer on a database of its own, with the groups that it commits. */
export function setUpCommitter(given: Partial<CommitterOptions> = {}) {
  const database = openDatabase();
  const groups: (readonly Commit[])[] = [];
  const committer = newCommitter(database, { onCommitted: (commits) => void groups.push(commits), ...given });
  const commit = (draft: Draft): Promise<Commit> => commitOne(committer, draft);
  const settle = async ({ row }: Commit, settlement: Settlement): Promise<void> => {
    await Promise.all([committer.settle(row.writeId[0], new Map([[row.writeId[1], settlement]])), committer.settled()]);
  };
  return { database, committer, groups, commit, settle };
}

/** The browser aborts the next writing transactions, as on a full disk: at the first put of an entry. */
export function failTransactions(count: number): void {
  let failures = count;
  const failing = new WeakSet<object>();
  const { objectStore } = IDBTransaction.prototype;
  vi.spyOn(IDBTransaction.prototype, "objectStore").mockImplementation(function (this: globalThis.IDBTransaction, name) {
    const store = objectStore.call(this, name);
    if (this.mode !== "readwrite" || name !== ENTRIES || failures === 0) return store;
    for (const how of ["add", "put"] as const) {
      const write = store[how];
      store[how] = (...args) => {
        const request = write.apply(store, args);
        if (failures > 0 && !failing.has(this)) {
          failures--;
          failing.add(this);
          // Not `abort()`: it throws once the transaction is committing.
          request.addEventListener("success", () =>
            (this as unknown as Record<string, (error: string) => void>)["_abort"]?.("QuotaExceededError"),
          );
        }
        return request;
      };
    }
    return store;
  });
}
