import { expect, it } from "vitest";
import { entryRow, NOW } from "../testing/rows.ts";
import { expiredForMs, markOf } from "./kept-row.ts";
import { LONG_AGO } from "./row.ts";

const row = entryRow({ expiresAt: NOW, keepMs: 500 });

it("A row with keepMs is kept for so long after its expiry, whether it is marked or not", () => {
  const mark = markOf(row, NOW + 100);
  expect(mark).toBe(LONG_AGO + NOW + 500);
  const marked = { ...row, expiresAt: mark };
  expect(markOf(marked, NOW + 499)).toBe(mark);
  for (const kept of [row, marked]) expect(markOf(kept, NOW + 500)).toBe(LONG_AGO);
});

it("A row whose time would come before 1970 is not kept", () => {
  expect(markOf(entryRow({ expiresAt: -NOW, keepMs: 500 }), -NOW)).toBe(LONG_AGO);
});

it("A row without keepMs is not kept", () => {
  expect(markOf(entryRow({ expiresAt: NOW }), NOW)).toBe(LONG_AGO);
  expect(expiredForMs(entryRow({ expiresAt: NOW }), NOW + 1)).toBeUndefined();
});

it("A marked row still says for how long its entry has been expired", () => {
  const marked = { ...row, expiresAt: markOf(row, NOW) };
  for (const kept of [row, marked]) expect(expiredForMs(kept, NOW + 200)).toBe(200);
  expect(expiredForMs(row, NOW - 1)).toBeUndefined();
  // A clock that has gone back.
  expect(expiredForMs(marked, NOW - 1)).toBe(0);
  expect(expiredForMs({ ...row, expiresAt: LONG_AGO }, NOW)).toBeUndefined();
});
