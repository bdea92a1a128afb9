import { expect, it } from "vitest";
import { UseLog } from "./use-log.ts";

it("A time of use never repeats and never goes back, whatever the clock does", () => {
  const log = new UseLog();
  // 8.64e15 is the last time of a Date: thousandths do not fit into such a number.
  const times = [1000, 1000, 1000, 500, 500, 2000, 8.64e15, 8.64e15, 8.64e15].map((now) => log.next(now));
  expect(times.toSorted((a, b) => a - b)).toEqual(times);
  expect(new Set(times).size).toBe(times.length);
  expect(times[5]).toBe(2000);
});

it("A log hands its uses over once, each key with its last use", () => {
  const log = new UseLog();
  for (const key of ["a", "b", "a"]) log.note(key, 1000);
  const uses = log.take();
  expect([...uses.keys()]).toEqual(["b", "a"]);
  expect(uses.get("a")).toBeGreaterThan(uses.get("b") ?? Infinity);
  expect(log.take().size).toBe(0);
});

it("A log puts returned uses before the uses noted since", () => {
  const log = new UseLog();
  for (const key of ["a", "b"]) log.note(key, 1000);
  const uses = log.take();
  log.note("a", 1000);
  log.giveBack(uses);
  expect([...log.take().keys()]).toEqual(["b", "a"]);
});

it("A log keeps the last uses of a thousand keys, and is full when all of them are different", () => {
  const log = new UseLog();
  const isFull = Array.from({ length: 4_001 }, (_, n) => log.note(`k${n}`, 1000));
  expect(isFull.indexOf(true)).toBe(3_999);
  const keys = log.take();
  expect(keys.size).toBe(1_000);
  expect({ k3000: keys.has("k3000"), k3001: keys.has("k3001"), k4000: keys.has("k4000") }).toEqual({
    k3000: false,
    k3001: true,
    k4000: true,
  });
});

it("A log is never full of the same few keys", () => {
  const log = new UseLog();
  const isFull = Array.from({ length: 10_000 }, (_, n) => log.note(`k${n % 5}`, 1000));
  expect(isFull).not.toContain(true);
  expect([...log.take().keys()]).toEqual(["k0", "k1", "k2", "k3", "k4"]);
});
