import { expect, it, vi } from "vitest";
import { UseLog } from "./use-log.ts";

it("a time of use is never the same twice, and never earlier than the one before, whatever the clock does", () => {
  const clock = vi.spyOn(Date, "now");
  const log = new UseLog();
  const times = [1000, 1000, 1000, 500, 500, 2000].map((now) => {
    clock.mockReturnValue(now);
    return log.now();
  });
  clock.mockRestore();
  expect(times.toSorted((a, b) => a - b)).toEqual(times);
  expect(new Set(times).size).toBe(times.length);
  expect(times.at(-1)).toBe(2000);
});

it("uses are handed over once, each key with its last one", () => {
  const log = new UseLog();
  log.note("a");
  log.note("b");
  log.note("a");
  const uses = log.take();
  expect([...uses.keys()].toSorted()).toEqual(["a", "b"]);
  expect(uses.get("a")).toBeGreaterThan(uses.get("b") ?? Infinity);
  expect(log.take().size).toBe(0);
  log.note("b");
  log.giveBack(uses);
  expect([...log.take().keys()]).toEqual(["a", "b"]);
});

it("keeps the last thousand keys' uses, and says when it is time to write", () => {
  const log = new UseLog();
  const times = Array.from({ length: 4_001 }, (_, n) => log.note(`k${n}`));
  expect(times.indexOf(true)).toBe(3_999);
  const uses = log.take();
  expect([uses.size, uses.has("k3000"), uses.has("k3001"), uses.has("k4000")]).toEqual([1_000, false, true, true]);
});

it("the same few keys, used again and again, are nothing to write for", () => {
  const log = new UseLog();
  const isTime = Array.from({ length: 10_000 }, (_, n) => log.note(`k${n % 5}`)).some(Boolean);
  expect([isTime, [...log.take().keys()]]).toEqual([false, ["k0", "k1", "k2", "k3", "k4"]]);
});
