import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { caught } from "../testing/errors.ts";
import { deferred } from "../testing/fake-connection.ts";
import { FakeLocks } from "../testing/fake-locks.ts";
import { Liveness, type LivenessListener } from "./liveness.ts";

const DEAF: LivenessListener = { onBegun: () => undefined, onDeath: () => undefined };

let locks: FakeLocks;
beforeEach(() => {
  locks = new FakeLocks();
  vi.stubGlobal("navigator", { locks });
});
afterEach(() => vi.unstubAllGlobals());

describe("The liveness lock", () => {
  it("shows which pages live", async () => {
    const liveness = new Liveness("alive/", "me", DEAF);
    await liveness.begin();
    await locks.take("alive/other");
    await locks.take("something/else");
    expect([...(await liveness.living())].toSorted()).toEqual(["me", "other"]);
    liveness.end();
    await locks.free("alive/me");
    expect([...(await liveness.living())]).toEqual(["other"]);
  });

  it("is reported as held once an earlier page has released it", async () => {
    const begun = deferred<void>();
    const onBegun = vi.fn<() => void>(() => begun.resolve());
    const release = await locks.take("alive/me");
    await new Liveness("alive/", "me", { ...DEAF, onBegun }).begin();
    expect(onBegun).not.toHaveBeenCalled();
    release();
    await begun.promise;
    expect(onBegun).toHaveBeenCalledTimes(1);
  });

  it("reports the end of each watched page, whether it opened earlier or later", async () => {
    const onDeath = vi.fn<() => void>();
    const early = await locks.take("alive/early");
    const liveness = new Liveness("alive/", "me", { ...DEAF, onDeath });
    await liveness.begin();
    early();
    await locks.free("alive/early");
    expect(onDeath).toHaveBeenCalledTimes(1);
    const late = await locks.take("alive/late");
    liveness.watch("late");
    liveness.watch("late");
    expect(onDeath).toHaveBeenCalledTimes(1);
    late();
    await locks.free("alive/late");
    expect(onDeath).toHaveBeenCalledTimes(2);
  });

  it("is released when the page is hidden, and taken again when it comes back", async () => {
    const onDeath = vi.fn<() => void>();
    const other = await locks.take("alive/other");
    const liveness = new Liveness("alive/", "me", { ...DEAF, onDeath });
    await liveness.begin();
    liveness.end();
    other();
    await locks.free("alive/other");
    expect(onDeath).not.toHaveBeenCalled();
    await liveness.begin();
    expect([...(await liveness.living())]).toEqual(["me"]);
  });

  it("of a watcher is not that of the watched page", async () => {
    const one = new Liveness("alive/", "one", DEAF);
    const other = new Liveness("alive/", "other", DEAF);
    await one.begin();
    await other.begin();
    one.end();
    await locks.free("alive/one");
    expect([...(await other.living())]).toEqual(["other"]);
  });

  it("of a dead page does not count as held while a watcher holds it shared", async () => {
    const release = await locks.take("alive/dead", "shared");
    await locks.take("something/else");
    const liveness = new Liveness("alive/", "me", DEAF);
    await liveness.begin();
    expect([...(await liveness.living())]).toEqual(["me"]);
    release();
  });

  it("counts as held once it is requested, before it is granted", async () => {
    const release = await locks.take("alive/new", "shared");
    await new Liveness("alive/", "new", DEAF).begin();
    expect([...(await new Liveness("alive/", "me", DEAF).living())]).toEqual(["new"]);
    release();
  });

  it("is granted to all watchers at the same moment, however slow one of them is", async () => {
    const died = deferred<void>();
    const onDeath = vi.fn<() => void>(() => died.resolve());
    const die = await locks.take("alive/other");
    // Its tab is busy.
    void locks.take("alive/other", "shared");
    const liveness = new Liveness("alive/", "me", { ...DEAF, onDeath });
    await liveness.begin();
    die();
    await died.promise;
    expect(onDeath).toHaveBeenCalledTimes(1);
  });

  it("is not needed where there are no Web Locks", async () => {
    vi.stubGlobal("navigator", undefined);
    const liveness = new Liveness("alive/", "me", DEAF);
    await liveness.begin();
    liveness.watch("other");
    expect((await liveness.living()).size).toBe(0);
  });
});

it("No other page is known to live in a site that may not store data", async () => {
  const query = async (): Promise<never> => {
    throw new DOMException("The operation is insecure.", "SecurityError");
  };
  vi.stubGlobal("navigator", { locks: { query } });
  expect(await new Liveness("alive/", "me", DEAF).living()).toEqual(new Set());
});

it("An error of the lock manager makes `living` reject", async () => {
  const query = async (): Promise<never> => {
    throw new Error("broken");
  };
  vi.stubGlobal("navigator", { locks: { query } });
  expect(await caught(() => new Liveness("alive/", "me", DEAF).living())).toEqual(new Error("broken"));
});
