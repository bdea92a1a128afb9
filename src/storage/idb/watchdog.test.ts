import { expect, it } from "vitest";

import { get, put, silence, watchedDatabase, type WatchedDatabase } from "../../testing/database.ts";
import { resultOf, useFreshIndexedDB, watchConnections } from "../../testing/indexeddb.ts";
import { FakeClock } from "../../testing/fake-clock.ts";
import { ENTRIES, META } from "./schema.ts";
import { Watchdog } from "./watchdog.ts";

useFreshIndexedDB();

// Seen in Chromium when the site's data is cleared: the transaction gets no event, and the connection no `close`.
it.each<[string, IDBTransactionMode]>([
  ["read", "readonly"],
  ["write", "readwrite"],
])("A %s whose connection does not answer is aborted within 10 s, and repeated on a new connection", async (_, mode) => {
  const connections = watchConnections();
  const { database, clock } = watchedDatabase();
  await put(database, "a", 1);
  const { abort } = silence(connections[0]?.database);
  let value: Promise<unknown> | undefined;
  await new Promise<void>((begun) => {
    value = database.run([ENTRIES], mode, (transaction) => {
      begun();
      return resultOf<unknown>(transaction.objectStore(ENTRIES).get("a"));
    });
  });
  await clock.advance(10_000);
  expect(await value).toBe(1);
  expect(abort).toHaveBeenCalledTimes(1);
  expect(connections).toHaveLength(2);
});

/** Lets a health check pass. It reads the same table, so it has its answer when this read has. */
async function passCheck({ database, clock }: WatchedDatabase): Promise<void> {
  await clock.advance(5_000);
  await database.run([META], "readonly", (transaction) => resultOf(transaction.objectStore(META).count()));
}

// Seen in WebKitGTK 2.50 when a worker was terminated in the middle of two transactions.
it("A transaction that does not end although its connection answers is aborted after 20 s, and repeated on a new connection", async () => {
  const connections = watchConnections();
  const watched = watchedDatabase();
  await put(watched.database, "a", 1);
  const { abort } = silence(connections[0]?.database, ENTRIES);
  let value: Promise<unknown> | undefined;
  await new Promise<void>((begun) => {
    value = watched.database.run([ENTRIES], "readonly", (transaction) => {
      begun();
      return resultOf<unknown>(transaction.objectStore(ENTRIES).get("a"));
    });
  });
  for (let check = 0; check < 4; check++) {
    expect(abort).not.toHaveBeenCalled();
    await passCheck(watched);
  }
  expect(await value).toBe(1);
  expect(abort).toHaveBeenCalledTimes(1);
  expect(connections).toHaveLength(2);
});

it("A transaction that waits 15 s for its turn on a connection that answers is not aborted", async () => {
  const connections = watchConnections();
  const watched = watchedDatabase();
  const { database, onLost } = watched;
  await put(database, "a", 0);
  let isOver = false;
  const long = database.run([ENTRIES], "readwrite", async (transaction) => {
    while (!isOver) await resultOf(transaction.objectStore(ENTRIES).get("a"));
  });
  const waiting = put(database, "a", 1);
  for (let check = 0; check < 3; check++) await passCheck(watched);
  isOver = true;
  await Promise.all([long, waiting]);
  expect(await get(database, "a")).toBe(1);
  expect(onLost).not.toHaveBeenCalled();
  expect(connections).toHaveLength(1);
});

it("The health checks stop when no transaction is under way", async () => {
  const { database, clock } = watchedDatabase();
  await put(database, "a", 1);
  expect(clock.timers).toBe(1);
  await clock.advance(5_000);
  expect(clock.timers).toBe(0);
});

it("A stopped watchdog has no timer", () => {
  const clock = new FakeClock();
  const watchdog = new Watchdog(clock);
  void watchdog.watch({} as IDBTransaction, new Promise(() => undefined));
  expect(clock.timers).toBe(1);
  watchdog.stop();
  expect(clock.timers).toBe(0);
});
