import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { caught } from "../testing/errors.ts";
import { FakeClock } from "../testing/fake-clock.ts";
import { FakeLocks } from "../testing/fake-locks.ts";
import { exclusively, unlessElsewhere } from "./locks.ts";

const clock = new FakeClock();
let locks: FakeLocks;
beforeEach(() => {
  locks = new FakeLocks();
  vi.stubGlobal("navigator", { locks });
});
afterEach(() => vi.unstubAllGlobals());

describe("exclusive work", () => {
  it("waits until the lock is granted", async () => {
    const letGo = await locks.take("l");
    const work = vi.fn<() => Promise<void>>().mockResolvedValue();
    const doing = exclusively("l", work, 60_000, clock);
    await clock.advance(59_999);
    expect(work).not.toHaveBeenCalled();
    letGo();
    expect(await doing).toBe(true);
    expect(work).toHaveBeenCalledTimes(1);
  });

  it("does not run when the lock is not granted in time", async () => {
    await locks.take("l");
    const work = vi.fn<() => Promise<void>>().mockResolvedValue();
    const working = exclusively("l", work, 1_000, clock);
    await clock.advance(1_000);
    expect(await working).toBe(false);
    expect(work).not.toHaveBeenCalled();
  });

  it("rejects with its own error, and releases the lock", async () => {
    expect(await caught(() => exclusively("l", () => Promise.reject(new Error("no")), 60_000, clock))).toEqual(new Error("no"));
    expect(await exclusively("l", async () => undefined, 60_000, clock)).toBe(true);
  });

  it("runs at once where there are no Web Locks", async () => {
    vi.stubGlobal("navigator", undefined);
    expect(await exclusively("l", async () => undefined, 60_000, clock)).toBe(true);
  });
});

describe("in a site that may not store data", () => {
  beforeEach(() => {
    const forbidden = async (): Promise<never> => {
      throw new DOMException("The operation is insecure.", "SecurityError");
    };
    vi.stubGlobal("navigator", { locks: { request: forbidden, query: forbidden } });
  });

  it("exclusive work runs without its lock, once, and rejects with its own error", async () => {
    const work = vi.fn<() => Promise<void>>().mockResolvedValue();
    expect(await exclusively("l", work, 60_000, clock)).toBe(true);
    expect(work).toHaveBeenCalledTimes(1);
    expect(await caught(() => exclusively("l", () => Promise.reject(new Error("no")), 60_000, clock))).toEqual(new Error("no"));
  });

  it("exclusive work that fails with a SecurityError of its own runs once", async () => {
    vi.stubGlobal("navigator", { locks: new FakeLocks() });
    const work = vi.fn<() => Promise<void>>().mockRejectedValue(new DOMException("no", "SecurityError"));
    expect(await caught(() => exclusively("l", work, 60_000, clock))).toMatchObject({ name: "SecurityError" });
    expect(work).toHaveBeenCalledTimes(1);
  });
});

it("any other error of the lock manager rejects, and the work does not run", async () => {
  const fail = async (): Promise<never> => {
    throw new Error("broken");
  };
  vi.stubGlobal("navigator", { locks: { request: fail, query: fail } });
  const work = vi.fn<() => Promise<void>>().mockResolvedValue();
  expect(await caught(() => exclusively("l", work, 60_000, clock))).toEqual(new Error("broken"));
  expect(work).not.toHaveBeenCalled();
});

it("work that another tab is doing does not run here", async () => {
  const work = vi.fn<() => Promise<void>>().mockResolvedValue();
  const letGo = await locks.take("l");
  await unlessElsewhere("l", work);
  expect(work).not.toHaveBeenCalled();
  letGo();
  await locks.free("l");
  await unlessElsewhere("l", work);
  expect(work).toHaveBeenCalledTimes(1);
});
