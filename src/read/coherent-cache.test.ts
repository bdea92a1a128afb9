import { describe, expect, it } from "vitest";
import type { Change } from "../model/change.ts";
import type { Row } from "../model/row.ts";
import { deferred } from "../testing/fake-connection.ts";
import { entryRow } from "../testing/rows.ts";
import { CoherentCache } from "./coherent-cache.ts";
import { dropOlder } from "./drop-older.ts";
import { cachedEntry } from "./memory-cache.ts";

const PAYLOAD = '"value"';

/** A cache with its memory. `read` begins a read of "k" that finds a version once it is ended. */
function setUp() {
  const cache = new CoherentCache(10);
  const read = (version: number) => {
    const row = deferred<Row | undefined>();
    const started = cache.startRead("k", () => row.promise);
    return { end: () => cache.endRead("k", started, cachedEntry(entryRow({ version }), PAYLOAD)) };
  };
  const commit = (version: number) => {
    cache.beginCommit(["k"]);
    return { end: () => cache.apply([stored(version, cache)]) };
  };
  return { cache, memory: cache, read, commit };
}

function stored(version: number, writer: CoherentCache): Change {
  const entry = { row: entryRow({ version }), payload: PAYLOAD };
  return { source: "local", type: "store", key: "k", version, entry, writer, grew: { entries: 1, bytes: 7 } };
}

function changedElsewhere(key: string): Change {
  return { source: "tab", type: "store", key, version: 9 };
}

describe.each(["read", "commit"] as const)("a %s under way", (kind) => {
  it.each([
    { found: 1, kept: undefined },
    { found: 2, kept: 2 },
    { found: 3, kept: 3 },
  ])("of version $found leaves version $kept in memory when another tab reports version 2", ({ found, kept }) => {
    const { cache, memory, [kind]: begin } = setUp();
    const underWay = begin(found);
    dropOlder(cache, [{ key: "k", version: 2 }]);
    underWay.end();
    expect(memory.held("k")?.version).toBe(kept);
  });

  it("does not enter memory after a clear", () => {
    const { cache, memory, [kind]: begin } = setUp();
    const underWay = begin(1);
    cache.clear();
    underWay.end();
    expect(memory.held("k")?.version).toBeUndefined();
  });

  it("does not enter memory when another tab changes its key", () => {
    const { cache, memory, [kind]: begin } = setUp();
    const underWay = begin(1);
    cache.apply([changedElsewhere("k")]);
    underWay.end();
    expect(memory.held("k")?.version).toBeUndefined();
  });

  it("enters memory when another tab changes another key", () => {
    const { cache, memory, [kind]: begin } = setUp();
    const underWay = begin(1);
    cache.apply([changedElsewhere("another")]);
    underWay.end();
    expect(memory.held("k")?.version).toBe(1);
  });
});

it("A commit during a read stays in memory, whatever the read finds", () => {
  const { memory, read, commit } = setUp();
  const reading = read(1);
  commit(2).end();
  reading.end();
  expect(memory.held("k")?.version).toBe(2);
});

it("A read that has ended is not joined by a later one", () => {
  const { cache } = setUp();
  const first = cache.startRead("k", async () => undefined);
  expect(cache.startRead("k", async () => undefined)).toBe(first);
  cache.endRead("k", first, undefined);
  expect(cache.startRead("k", async () => undefined)).not.toBe(first);
});

it("A delete of this store removes the entry from memory", () => {
  const { cache, memory, commit } = setUp();
  commit(1).end();
  cache.apply([{ source: "local", type: "delete", key: "k", version: 2, writer: cache, grew: { entries: -1, bytes: -7 } }]);
  expect(memory.held("k")?.version).toBeUndefined();
});
