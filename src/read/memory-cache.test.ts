import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MemoryCache, type CachedEntry } from "./memory-cache.ts";

const entry = (size: number, expiresAt?: number): CachedEntry => ({
  payload: "x",
  format: "json",
  version: 1,
  size,
  expiresAt,
});

/** The cache as its description has it, in the plainest way: a list, the least recently used first. */
class NaiveCache {
  list: { key: string; size: number; expiresAt: number }[] = [];
  hits = 0;
  misses = 0;
  evictions = 0;
  constructor(readonly maxSize: number) {}

  get(key: string, now: number): number | undefined {
    const found = this.list.find((item) => item.key === key);
    if (found !== undefined) this.list = this.list.filter((item) => item !== found);
    if (found === undefined || found.expiresAt <= now) {
      this.misses++;
      return undefined;
    }
    this.hits++;
    this.list.push(found);
    return found.size;
  }

  set(key: string, size: number, expiresAt: number): void {
    if (this.maxSize === 0) return;
    this.delete(key);
    this.list.push({ key, size, expiresAt });
    if (this.list.length > this.maxSize) {
      this.list.shift();
      this.evictions++;
    }
  }

  delete(key: string): void {
    this.list = this.list.filter((item) => item.key !== key);
  }

  stats(now: number): object {
    this.list = this.list.filter((item) => item.expiresAt > now);
    const { maxSize, hits, misses, evictions } = this;
    const memoryUsage = this.list.reduce((sum, { size }) => sum + size, 0);
    return { size: this.list.length, maxSize, memoryUsage, hits, misses, evictions, keys: this.list.map(({ key }) => key) };
  }
}

type Step =
  | ["get" | "delete", key: string]
  | ["set", key: string, size: number, lives: number]
  | ["wait", ms: number]
  | ["clear"]
  | ["stats"];

const key = fc.constantFrom("a", "b", "c", "d", "e");
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(fc.constant("get" as const), key) },
  { weight: 4, arbitrary: fc.tuple(fc.constant("set" as const), key, fc.nat(9), fc.constantFrom(1, 5, Infinity)) },
  { weight: 1, arbitrary: fc.tuple(fc.constant("delete" as const), key) },
  { weight: 1, arbitrary: fc.tuple(fc.constant("wait" as const), fc.nat(3)) },
  { weight: 1, arbitrary: fc.constantFrom<Step[]>(["clear"], ["stats"]) },
);

describe("The memory cache", () => {
  it("evicts in the order of use, for any sequence of operations", () => {
    fc.assert(
      fc.property(fc.nat(4), fc.array(step, { maxLength: 60 }), (maxSize, steps) => {
        const cache = new MemoryCache(maxSize);
        const naive = new NaiveCache(maxSize);
        let now = 0;
        for (const [what, ...rest] of steps) {
          const [name, size, lives] = rest as [string, number, number];
          if (what === "get") expect(cache.get(name, now)?.size).toBe(naive.get(name, now));
          if (what === "set") {
            cache.set(name, entry(size, lives === Infinity ? undefined : now + lives));
            naive.set(name, size, now + lives);
          }
          if (what === "delete") {
            cache.delete(name);
            naive.delete(name);
          }
          if (what === "wait") now += rest[0] as number;
          if (what === "clear") {
            cache.clear();
            naive.list = [];
          }
          if (what === "stats") expect(cache.stats(now)).toEqual(naive.stats(now));
        }
        expect(cache.stats(now)).toEqual(naive.stats(now));
      }),
      { numRuns: 1000 },
    );
  });

  it("evicts the entry that was used least recently, not the one that was stored first", () => {
    const cache = new MemoryCache(2);
    cache.set("a", entry(1));
    cache.set("b", entry(1));
    cache.get("a", 0);
    cache.set("c", entry(1));
    expect(cache.stats(0)).toMatchObject({ keys: ["a", "c"], evictions: 1 });
  });

  it("counts the bytes of its payloads", () => {
    const cache = new MemoryCache(2);
    cache.set("a", entry(10));
    cache.set("a", entry(7));
    cache.set("b", entry(5));
    expect(cache.stats(0).memoryUsage).toBe(12);
    cache.set("c", entry(1));
    expect(cache.stats(0).memoryUsage).toBe(6);
    cache.clear();
    expect(cache.stats(0)).toMatchObject({ memoryUsage: 0, size: 0, evictions: 1 });
  });

  it("removes an entry at the moment of its expiry", () => {
    const cache = new MemoryCache(2);
    cache.set("a", entry(1, 100));
    expect(cache.get("a", 99)).toBeDefined();
    expect(cache.get("a", 100)).toBeUndefined();
    expect(cache.stats(100)).toMatchObject({ hits: 1, misses: 1, evictions: 0, size: 0 });
  });

  it("holds nothing with a size of 0, and counts misses", () => {
    const cache = new MemoryCache(0);
    cache.set("a", entry(1));
    expect(cache.get("a", 0)).toBeUndefined();
    expect(cache.stats(0)).toEqual({ size: 0, maxSize: 0, memoryUsage: 0, hits: 0, misses: 1, evictions: 0, keys: [] });
  });
});
