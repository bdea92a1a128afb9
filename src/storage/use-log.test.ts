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
  expect(log.isEmpty).toBe(true);
  log.note("a");
  log.note("b");
  log.note("a");
  const uses = log.take();
  expect([...uses.keys()].toSorted()).toEqual(["a", "b"]);
  expect(uses.get("a")).toBeGreaterThan(uses.get("b") ?? Infinity);
  expect([log.isEmpty, log.take().size]).toEqual([true, 0]);
});
