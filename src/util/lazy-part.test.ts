import { expect, it, vi } from "vitest";
import { codeOf, errorOf } from "../testing/errors.ts";
import { FakeClock } from "../testing/fake-clock.ts";
import { LazyPart } from "./lazy-part.ts";

it("A part is imported once, with its first use", async () => {
  const importPart = vi.fn<() => Promise<string>>().mockResolvedValue("module");
  const part = new LazyPart(importPart, new FakeClock());
  expect(importPart).not.toHaveBeenCalled();
  expect(part.loaded).toBeUndefined();
  expect(await part.load()).toBe("module");
  expect(part.loaded).toBe("module");
  expect(await part.load()).toBe("module");
  expect(importPart).toHaveBeenCalledTimes(1);
});

it("A part that was set is never imported", async () => {
  const importPart = vi.fn<() => Promise<string>>();
  const part = new LazyPart(importPart, new FakeClock());
  part.loaded = "module";
  expect(await part.load()).toBe("module");
  expect(importPart).not.toHaveBeenCalled();
});

it("A part that cannot be imported rejects with STORAGE_UNAVAILABLE and the cause, and the next attempt may succeed", async () => {
  const cause = new Error("offline");
  const part = new LazyPart(vi.fn<() => Promise<string>>().mockRejectedValueOnce(cause).mockResolvedValue("module"), new FakeClock());
  expect(await errorOf(() => part.load())).toMatchObject({ code: "STORAGE_UNAVAILABLE", cause });
  expect(await part.load()).toBe("module");
});

it("A part that does not arrive within 10 seconds rejects with STORAGE_UNAVAILABLE", async () => {
  const clock = new FakeClock();
  const loading = new LazyPart(() => new Promise<string>(() => undefined), clock).load();
  const code = codeOf(() => loading);
  await clock.advance(9_999);
  expect(clock.timers).toBe(1);
  await clock.advance(1);
  expect(await code).toBe("STORAGE_UNAVAILABLE");
});
