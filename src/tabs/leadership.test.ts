import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { caught } from "../testing/errors.ts";
import { FakeLocks } from "../testing/fake-locks.ts";
import { exclusively, Liveness, unlessElsewhere, type LivenessListener } from "./leadership.ts";

const DEAF: LivenessListener = { onBegun: () => undefined, onDeath: () => undefined };

let locks: FakeLocks;
beforeEach(() => {
  locks = new FakeLocks();
  vi.stubGlobal("navigator", { locks });
});
afterEach(() => vi.unstubAllGlobals());

async function turns(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
}

describe("what is done exclusively", () => {
  it("waits for its turn", async () => {
    const letGo = await locks.take("l");
    const work = vi.fn<() => Promise<void>>().mockResolvedValue();
    const doing = exclusively("l", work, 60_000);
    await turns();
    expect(work).not.toHaveBeenCalled();
    letGo();
    expect(await doing).toBe(true);
    expect(work).toHaveBeenCalledTimes(1);
  });

  it("is not done when its turn does not come in time", async () => {
    await locks.take("l");
    const work = vi.fn<() => Promise<void>>().mockResolvedValue();
    expect(await exclusively("l", work, 1)).toBe(false);
    expect(work).not.toHaveBeenCalled();
  });

  it("rejects with what it throws, and lets the next have its turn", async () => {
    expect(await caught(() => exclusively("l", () => Promise.reject(new Error("no")), 60_000))).toEqual(new Error("no"));
    expect(await exclusively("l", async () => undefined, 60_000)).toBe(true);
  });

  it("is done at once where there are no Web Locks", async () => {
    vi.stubGlobal("navigator", undefined);
    expect(await exclusively("l", async () => undefined, 60_000)).toBe(true);
  });
});

describe("where the site may not store data", () => {
  beforeEach(() => {
    const forbidden = async (): Promise<never> => {
      throw new DOMException("The operation is insecure.", "SecurityError");
    };
    vi.stubGlobal("navigator", { locks: { request: forbidden, query: forbidden } });
  });

  it("exclusive work runs without its lock, once, and rejects with its own error", async () => {
    const work = vi.fn<() => Promise<void>>().mockResolvedValue();
    expect(await exclusively("l", work, 60_000)).toBe(true);
    expect(work).toHaveBeenCalledTimes(1);
    expect(await caught(() => exclusively("l", () => Promise.reject(new Error("no")), 60_000))).toEqual(new Error("no"));
  });

  it("exclusive work that fails with a SecurityError of its own runs once", async () => {
    vi.stubGlobal("navigator", { locks: new FakeLocks() });
    const work = vi.fn<() => Promise<void>>().mockRejectedValue(new DOMException("no", "SecurityError"));
    expect(await caught(() => exclusively("l", work, 60_000))).toMatchObject({ name: "SecurityError" });
    expect(work).toHaveBeenCalledTimes(1);
  });

  it("no other store is known to live", async () => {
    expect(await new Liveness("alive/", "me", DEAF).living()).toEqual(new Set());
  });
});

it("any other error of the lock manager is passed on, and the work does not run", async () => {
  const fail = async (): Promise<never> => {
    throw new Error("broken");
  };
  vi.stubGlobal("navigator", { locks: { request: fail, query: fail } });
  const work = vi.fn<() => Promise<void>>().mockResolvedValue();
  expect(await caught(() => exclusively("l", work, 60_000))).toEqual(new Error("broken"));
  expect(work).not.toHaveBeenCalled();
  expect(await caught(() => new Liveness("alive/", "me", DEAF).living())).toEqual(new Error("broken"));
});

it("what another tab is doing is left to it", async () => {
  const work = vi.fn<() => Promise<void>>().mockResolvedValue();
  const letGo = await locks.take("l");
  await unlessElsewhere("l", work);
  expect(work).not.toHaveBeenCalled();
  letGo();
  await turns();
  await unlessElsewhere("l", work);
  expect(work).toHaveBeenCalledTimes(1);
});

describe("life signs", () => {
  it("tell who lives", async () => {
    const signs = new Liveness("alive/", "me", DEAF);
    await signs.begin();
    await locks.take("alive/other");
    await locks.take("something/else");
    expect([...(await signs.living())].toSorted()).toEqual(["me", "other"]);
    signs.end();
    await turns();
    expect([...(await signs.living())]).toEqual(["other"]);
  });

  it("tell when they begin, not while an earlier page still gives them", async () => {
    const onBegun = vi.fn<() => void>();
    const letGo = await locks.take("alive/me");
    await new Liveness("alive/", "me", { ...DEAF, onBegun }).begin();
    await turns();
    expect(onBegun).not.toHaveBeenCalled();
    letGo();
    await turns();
    expect(onBegun).toHaveBeenCalledTimes(1);
  });

  it("tell when a store that was watched has ended, those of the beginning and later ones", async () => {
    const onDeath = vi.fn<() => void>();
    const early = await locks.take("alive/early");
    const signs = new Liveness("alive/", "me", { ...DEAF, onDeath });
    await signs.begin();
    await turns();
    early();
    await turns();
    expect(onDeath).toHaveBeenCalledTimes(1);
    const late = await locks.take("alive/late");
    signs.watch("late");
    signs.watch("late");
    await turns();
    expect(onDeath).toHaveBeenCalledTimes(1);
    late();
    await turns();
    expect(onDeath).toHaveBeenCalledTimes(2);
  });

  it("end with the page, and begin anew when it comes back", async () => {
    const onDeath = vi.fn<() => void>();
    const other = await locks.take("alive/other");
    const signs = new Liveness("alive/", "me", { ...DEAF, onDeath });
    await signs.begin();
    signs.end();
    other();
    await turns();
    expect(onDeath).not.toHaveBeenCalled();
    await signs.begin();
    await turns();
    expect([...(await signs.living())]).toEqual(["me"]);
  });

  it("that somebody watches do not count the watcher as the one watched", async () => {
    const one = new Liveness("alive/", "one", DEAF);
    const other = new Liveness("alive/", "other", DEAF);
    await one.begin();
    await turns();
    await other.begin();
    await turns();
    one.end();
    await turns();
    expect([...(await other.living())]).toEqual(["other"]);
  });

  it("are not those of one that has died, while somebody who waited for that comes to know", async () => {
    const letGo = await locks.take("alive/dead", "shared");
    await locks.take("something/else");
    const signs = new Liveness("alive/", "me", DEAF);
    await signs.begin();
    await turns();
    expect([...(await signs.living())]).toEqual(["me"]);
    letGo();
  });

  it("are those of one whose lock is not granted yet, because somebody took it for dead", async () => {
    const letGo = await locks.take("alive/new", "shared");
    await new Liveness("alive/", "new", DEAF).begin();
    await turns();
    expect([...(await new Liveness("alive/", "me", DEAF).living())]).toEqual(["new"]);
    letGo();
  });

  it("end for all who watch at the same moment, however slow one of them is", async () => {
    const onDeath = vi.fn<() => void>();
    const die = await locks.take("alive/other");
    // Its tab is busy.
    void locks.take("alive/other", "shared");
    const signs = new Liveness("alive/", "me", { ...DEAF, onDeath });
    await signs.begin();
    die();
    await turns();
    expect(onDeath).toHaveBeenCalledTimes(1);
  });

  it("are not needed where there are no Web Locks", async () => {
    vi.stubGlobal("navigator", undefined);
    const signs = new Liveness("alive/", "me", DEAF);
    await signs.begin();
    signs.watch("other");
    expect((await signs.living()).size).toBe(0);
  });
});
