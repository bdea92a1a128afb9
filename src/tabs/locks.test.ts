import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { caught } from "../testing/errors.ts";
import { deferred } from "../testing/fake-connection.ts";
import { FakeClock } from "../testing/fake-clock.ts";
import { FakeLocks } from "../testing/fake-locks.ts";
import { exclusively, inPageTurns, preferablyAlone, TAKEOVER_MS, unlessElsewhere } from "./locks.ts";

let clock: FakeClock;
let locks: FakeLocks;
beforeEach(() => {
  clock = new FakeClock();
  locks = new FakeLocks();
  vi.stubGlobal("navigator", { locks });
});
afterEach(() => vi.unstubAllGlobals());

describe("Exclusive work", () => {
  it("waits until the lock is granted", async () => {
    const letGo = await locks.take("l");
    const work = vi.fn<() => Promise<void>>().mockResolvedValue();
    const doing = exclusively("l", work, clock);
    await clock.advance(TAKEOVER_MS - 1);
    expect(work).not.toHaveBeenCalled();
    letGo();
    expect(await doing).toBe(true);
    expect(work).toHaveBeenCalledTimes(1);
  });

  it("does not run when its wait is ended, or was ended before", async () => {
    await locks.take("l");
    const work = vi.fn<() => Promise<void>>().mockResolvedValue();
    const ended = new AbortController();
    const working = exclusively("l", work, clock, ended.signal);
    ended.abort();
    expect(await working).toBe(false);
    expect(await exclusively("l", work, clock, ended.signal)).toBe(false);
    expect(work).not.toHaveBeenCalled();
    expect(clock.timers).toBe(0);
  });

  it("takes the lock over from a page that has held it for too long", async () => {
    locks.take("l").catch(() => undefined);
    await locks.granted("l");
    const work = vi.fn<() => Promise<void>>().mockResolvedValue();
    const working = exclusively("l", work, clock);
    await clock.advance(TAKEOVER_MS);
    expect(await working).toBe(true);
    expect(work).toHaveBeenCalledTimes(1);
    expect(clock.timers).toBe(0);
    expect((await locks.query()).held).toEqual([]);
  });

  it("does not take the lock over from a page that has just got it", async () => {
    const first = await locks.take("l");
    const second = locks.take("l");
    const work = vi.fn<() => Promise<void>>().mockResolvedValue();
    const working = exclusively("l", work, clock);
    await clock.advance(TAKEOVER_MS - 1);
    first();
    await second;
    await clock.advance(TAKEOVER_MS - 1);
    expect(work).not.toHaveBeenCalled();
    (await second)();
    expect(await working).toBe(true);
  });

  it("is taken over by one tab only, when two find at the same time that it takes too long", async () => {
    locks.take("l").catch(() => undefined);
    await locks.granted("l");
    const done = deferred<void>();
    const work = vi.fn<() => Promise<void>>().mockReturnValue(done.promise);
    const working = [exclusively("l", work, clock), exclusively("l", work, clock)];
    await clock.advance(TAKEOVER_MS - 1);
    // Both look before one of them takes the lock over.
    const bothLook = deferred<void>();
    const query = vi.spyOn(locks, "query").mockImplementation(async () => {
      const { mock } = query;
      const seen = await FakeLocks.prototype.query.call(locks);
      if (mock.calls.length <= 2) await bothLook.promise;
      return seen;
    });
    await clock.advance(1);
    expect(query).toHaveBeenCalledTimes(2);
    bothLook.resolve();
    await clock.advance(0);
    expect(work).toHaveBeenCalledTimes(1);
    done.resolve();
    expect(await Promise.all(working)).toEqual([true, true]);
    expect(work).toHaveBeenCalledTimes(2);
  });

  it("is not taken over from a tab that has just taken it over", async () => {
    locks.take("l").catch(() => undefined);
    await locks.granted("l");
    const done = deferred<void>();
    const work = vi.fn<() => Promise<void>>().mockReturnValue(done.promise);
    const working = [exclusively("l", work, clock), exclusively("l", work, clock)];
    await clock.advance(TAKEOVER_MS - 1);
    // Both look at the same time. The second gets its answer once the first has taken over.
    const answers = [deferred<void>(), deferred<void>()];
    const query = vi.spyOn(locks, "query").mockImplementation(async () => {
      const answer = answers[query.mock.calls.length - 1];
      const seen = await FakeLocks.prototype.query.call(locks);
      await answer?.promise;
      return seen;
    });
    await clock.advance(1);
    answers[0]?.resolve();
    await clock.advance(0);
    expect(work).toHaveBeenCalledTimes(1);
    answers[1]?.resolve();
    await clock.advance(0);
    expect(work).toHaveBeenCalledTimes(1);
    done.resolve();
    expect(await Promise.all(working)).toEqual([true, true]);
  });

  it("runs once when its lock is granted while it takes the lock over, and no other tab takes it over meanwhile", async () => {
    const letGo = await locks.take("l");
    const steal = deferred<void>();
    vi.spyOn(locks, "request").mockImplementation(async (...given) => {
      if (typeof given[1] === "object" && given[1].steal === true) await steal.promise;
      return FakeLocks.prototype.request.apply(locks, given);
    });
    const done = deferred<void>();
    const work = vi.fn<() => Promise<void>>().mockReturnValue(done.promise);
    const working = exclusively("l", work, clock);
    await clock.advance(TAKEOVER_MS);
    const other = vi.fn<() => Promise<void>>().mockResolvedValue();
    await unlessElsewhere("l/takeover", other);
    expect(other).not.toHaveBeenCalled();
    letGo();
    await locks.granted("l");
    steal.resolve();
    await clock.advance(0);
    done.resolve();
    expect(await working).toBe(true);
    expect(work).toHaveBeenCalledTimes(1);
  });

  it("learns that its lock is taken over", async () => {
    const done = deferred<void>();
    const begun = vi.fn<(lost?: AbortSignal) => Promise<void>>().mockReturnValue(done.promise);
    const paused = exclusively("l", begun, clock);
    await locks.granted("l");
    const lost = begun.mock.calls[0]?.[0];
    expect(lost?.aborted).toBe(false);
    const next = exclusively("l", async () => undefined, clock);
    await clock.advance(TAKEOVER_MS);
    expect(lost?.aborted).toBe(true);
    done.resolve();
    await Promise.all([paused, next]);
  });

  it("goes on to its end, once, when its lock is taken over", async () => {
    const done = deferred<void>();
    const begun = vi.fn<() => Promise<void>>().mockReturnValue(done.promise);
    const paused = exclusively("l", begun, clock);
    await locks.granted("l");
    const next = exclusively("l", async () => undefined, clock);
    await clock.advance(TAKEOVER_MS);
    expect(await next).toBe(true);
    done.resolve();
    expect(await paused).toBe(true);
    expect(begun).toHaveBeenCalledTimes(1);
  });

  it("rejects with its own error, and releases the lock", async () => {
    expect(await caught(() => exclusively("l", () => Promise.reject(new Error("no")), clock))).toEqual(new Error("no"));
    expect(await exclusively("l", async () => undefined, clock)).toBe(true);
  });

  it("runs at once where there are no Web Locks", async () => {
    vi.stubGlobal("navigator", undefined);
    expect(await exclusively("l", async () => undefined, clock)).toBe(true);
  });
});

describe("exclusive work of one page", () => {
  it("asks for a lock once at a time: another tab would take two short turns for a long one", async () => {
    const inTurn = inPageTurns(clock);
    const [first, second] = [deferred<void>(), deferred<void>()];
    const one = inTurn("l", () => first.promise);
    const other = inTurn("l", () => second.promise);
    await locks.granted("l");
    const ofTab = vi.fn<() => Promise<void>>().mockReturnValue(new Promise(() => undefined));
    void exclusively("l", ofTab, clock);
    await clock.advance(0);
    first.resolve();
    await one;
    await clock.advance(0);
    expect(ofTab).toHaveBeenCalledTimes(1);
    second.resolve();
    await clock.advance(TAKEOVER_MS);
    expect(await other).toBe(true);
  });

  it("does not run when its wait for another turn of the page is ended, and later work still waits for that", async () => {
    const inTurn = inPageTurns(clock);
    const first = deferred<void>();
    const one = inTurn("l", () => first.promise);
    await locks.granted("l");
    const work = vi.fn<() => Promise<void>>().mockResolvedValue();
    const ended = new AbortController();
    const other = inTurn("l", work, ended.signal);
    const third = inTurn("l", work);
    ended.abort();
    expect(await other).toBe(false);
    await clock.advance(0);
    expect(work).not.toHaveBeenCalled();
    expect((await locks.query()).pending).toEqual([]);
    first.resolve();
    expect(await Promise.all([one, third])).toEqual([true, true]);
    expect(work).toHaveBeenCalledTimes(1);
  });
});

describe("In a site that may not store data", () => {
  beforeEach(() => {
    const forbidden = async (): Promise<never> => {
      throw new DOMException("The operation is insecure.", "SecurityError");
    };
    vi.stubGlobal("navigator", { locks: { request: forbidden, query: forbidden } });
  });

  it("exclusive work runs without its lock, once, and rejects with its own error", async () => {
    const work = vi.fn<() => Promise<void>>().mockResolvedValue();
    expect(await exclusively("l", work, clock)).toBe(true);
    expect(work).toHaveBeenCalledTimes(1);
    expect(await caught(() => exclusively("l", () => Promise.reject(new Error("no")), clock))).toEqual(new Error("no"));
  });

  it("exclusive work that fails with a SecurityError of its own runs once", async () => {
    vi.stubGlobal("navigator", { locks: new FakeLocks() });
    const work = vi.fn<() => Promise<void>>().mockRejectedValue(new DOMException("no", "SecurityError"));
    expect(await caught(() => exclusively("l", work, clock))).toMatchObject({ name: "SecurityError" });
    expect(work).toHaveBeenCalledTimes(1);
  });
});

it("Any other error of the lock manager rejects, and the work does not run", async () => {
  const fail = async (): Promise<never> => {
    throw new Error("broken");
  };
  vi.stubGlobal("navigator", { locks: { request: fail, query: fail } });
  const work = vi.fn<() => Promise<void>>().mockResolvedValue();
  expect(await caught(() => exclusively("l", work, clock))).toEqual(new Error("broken"));
  expect(work).not.toHaveBeenCalled();
});

it("Work that another tab is doing does not run here", async () => {
  const work = vi.fn<() => Promise<void>>().mockResolvedValue();
  const letGo = await locks.take("l");
  await unlessElsewhere("l", work);
  expect(work).not.toHaveBeenCalled();
  letGo();
  await locks.free("l");
  await unlessElsewhere("l", work);
  expect(work).toHaveBeenCalledTimes(1);
});

describe("Work that is preferably alone", () => {
  it("runs under the lock, and has its result", async () => {
    const letGo = await locks.take("l");
    const work = vi.fn<() => Promise<number>>().mockResolvedValue(5);
    const working = preferablyAlone("l", work, clock, 1_000);
    await clock.advance(999);
    expect(work).not.toHaveBeenCalled();
    letGo();
    expect(await working).toBe(5);
    expect(clock.timers).toBe(0);
  });

  it("runs without the lock once it has waited for long enough", async () => {
    await locks.take("l");
    const work = vi.fn<() => Promise<number>>().mockResolvedValue(5);
    const working = preferablyAlone("l", work, clock, 1_000);
    await clock.advance(1_000);
    expect(await working).toBe(5);
    expect(work).toHaveBeenCalledTimes(1);
  });

  it("rejects as the work does, and lets the lock go", async () => {
    const failing = async (): Promise<never> => {
      throw new Error("failed");
    };
    expect(await caught(() => preferablyAlone("l", failing, clock, 1_000))).toEqual(new Error("failed"));
    expect(await preferablyAlone("l", async () => 5, clock, 1_000)).toBe(5);
    expect(clock.timers).toBe(0);
  });

  it("runs where there are no locks, and where their use is forbidden", async () => {
    vi.stubGlobal("navigator", {});
    expect(await preferablyAlone("l", async () => 5, clock, 1_000)).toBe(5);
    const request = async (): Promise<never> => {
      throw new DOMException("The operation is insecure.", "SecurityError");
    };
    vi.stubGlobal("navigator", { locks: { request } });
    expect(await preferablyAlone("l", async () => 6, clock, 1_000)).toBe(6);
    expect(clock.timers).toBe(0);
  });
});
