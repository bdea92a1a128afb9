import { expect, it } from "vitest";
import type { RetrieveOptions } from "../options/types.ts";
import { caught } from "../testing/errors.ts";
import { Retrieval, type RetrievalPorts } from "./retrieval.ts";

/** Entries of this browser, and those that a fetch brings. Records what is done. */
function open({ here = {}, afar = {} }: { here?: Record<string, number>; afar?: Record<string, number> }) {
  const entries = new Map(Object.entries(here));
  const log: string[] = [];
  const reader = {
    readCached: () => undefined,
    readEntry: async (key: string) => {
      log.push(`read ${key}`);
      const value = entries.get(key);
      return value === undefined ? undefined : { decoded: { value } };
    },
  };
  const retrieval = new Retrieval({
    reader: reader as unknown as RetrievalPorts["reader"],
    writesCommitted: async (keys) => void log.push(`committed ${keys.join()}`),
    fetch: async (keys) => {
      log.push(`fetch ${keys.join()}`);
      for (const key of keys) if (afar[key] !== undefined) entries.set(key, afar[key]);
    },
  });
  const one = async (key: string, options: RetrieveOptions): Promise<unknown> => (await retrieval.one(key, options))?.value;
  return { retrieval, log, one };
}

it.each([
  [undefined, 1, "committed a,read a"],
  ["never", 1, "committed a,read a"],
  ["missing", 1, "committed a,read a"],
  ["always", 2, "committed a,fetch a,read a"],
] as const)("A read of a present key with pull %s returns %i", async (pull, value, steps) => {
  const { one, log } = open({ here: { a: 1 }, afar: { a: 2 } });
  expect(await one("a", pull === undefined ? {} : { pull })).toBe(value);
  expect(log.join()).toBe(steps);
});

it.each([
  ["never", undefined, "committed a,read a"],
  ["missing", 2, "committed a,read a,fetch a,read a"],
  ["always", 2, "committed a,fetch a,read a"],
] as const)("A read of an absent key with pull %s returns %s", async (pull, value, steps) => {
  const { one, log } = open({ afar: { a: 2 } });
  expect(await one("a", { pull })).toBe(value);
  expect(log.join()).toBe(steps);
});

it("A read of many keys with pull `missing` fetches those that are absent, together, and keeps the order of the keys", async () => {
  const { retrieval, log } = open({ here: { b: 1 }, afar: { a: 2, b: 3 } });
  expect([...(await retrieval.many(["c", "b", "a"], { pull: "missing" }))]).toEqual([
    ["b", 1],
    ["a", 2],
  ]);
  expect(log.filter((step) => step.startsWith("fetch"))).toEqual(["fetch c,a"]);
});

it("A read whose signal is aborted does nothing", async () => {
  const { retrieval, log } = open({ here: { a: 1 } });
  const reason = new Error("enough");
  expect(await caught(() => retrieval.one("a", { pull: "always", signal: AbortSignal.abort(reason) }))).toBe(reason);
  expect(log).toEqual([]);
});
