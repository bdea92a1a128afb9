import { describe, expect, it, vi } from "vitest";
import { caught } from "../testing/errors.ts";
import { FakeClock } from "../testing/fake-clock.ts";
import { deferred, FakeConnection } from "../testing/fake-connection.ts";
import type { Connection } from "./connection.ts";
import { byDeadline, SharedConnection } from "./shared-connection.ts";

function setUp(given: { lingerMs?: number; timeoutMs?: number; hosts?: string } = {}) {
  const clock = new FakeClock();
  const attempts: ReturnType<typeof deferred<Connection>>[] = [];
  const listener = { connected: vi.fn<(connection: Connection) => void>(), unreachable: vi.fn<(error: Error) => void>() };
  const connect = vi.fn<(isUnwanted: () => boolean) => Promise<Connection>>(() => {
    const attempt = deferred<Connection>();
    attempts.push(attempt);
    return attempt.promise;
  });
  const sharedConnection = new SharedConnection(connect, listener, { clock, timeoutMs: 2_000, lingerMs: 0, ...given });
  /** The attempt under way succeeds. */
  const answer = async (index = attempts.length - 1): Promise<FakeConnection> => {
    const connection = new FakeConnection();
    attempts[index]?.resolve(connection);
    await clock.advance(0);
    return connection;
  };
  const fail = async (error: unknown = new Error("refused"), index = attempts.length - 1): Promise<void> => {
    attempts[index]?.reject(error);
    await clock.advance(0);
  };
  return { clock, sharedConnection, connect, listener, answer, fail };
}

describe("A shared connection", () => {
  it("opens nothing until it is needed", () => {
    expect(setUp().connect).not.toHaveBeenCalled();
  });

  it("is used by all operations in flight, and closes when the last one is done", async () => {
    const { clock, sharedConnection, connect, answer, listener } = setUp();
    const one = sharedConnection.acquire();
    const other = sharedConnection.acquire();
    const connection = await answer();
    expect(await one.connect()).toBe(connection);
    expect(await other.connect()).toBe(connection);
    expect(connect).toHaveBeenCalledTimes(1);
    expect(listener.connected).toHaveBeenCalledExactlyOnceWith(connection);
    one.release();
    one.release();
    await clock.advance(60_000);
    expect(connection.closes).toBe(0);
    other.release();
    await clock.advance(0);
    expect(connection.closes).toBe(1);
  });

  it.each(["before", "after"])(
    "is given to later operations while others still use it, when one use is released %s it opens",
    async (when) => {
      const { clock, sharedConnection, connect, answer } = setUp();
      const [done, stays] = [sharedConnection.acquire(), sharedConnection.acquire()];
      if (when === "before") done.release();
      const connection = await answer();
      done.release();
      const later = sharedConnection.acquire();
      expect(await later.connect()).toBe(connection);
      expect(connect).toHaveBeenCalledTimes(1);
      later.release();
      await clock.advance(0);
      expect(connection.closes).toBe(0);
      stays.release();
      await clock.advance(0);
      expect(connection.closes).toBe(1);
    },
  );

  it("is opened again after it was closed", async () => {
    const { sharedConnection, connect, answer } = setUp();
    const one = sharedConnection.acquire();
    await answer();
    one.release();
    const other = sharedConnection.acquire();
    const second = await answer();
    expect(await other.connect()).toBe(second);
    expect(connect).toHaveBeenCalledTimes(2);
  });

  it("stays open for lingerMs while it is idle, and not longer", async () => {
    const { clock, sharedConnection, connect, answer } = setUp({ lingerMs: 500 });
    sharedConnection.acquire().release();
    const connection = await answer();
    await clock.advance(499);
    const again = sharedConnection.acquire();
    expect(connect).toHaveBeenCalledTimes(1);
    await clock.advance(10_000);
    expect(connection.closes).toBe(0);
    again.release();
    await clock.advance(499);
    expect(connection.closes).toBe(0);
    await clock.advance(1);
    expect(connection.closes).toBe(1);
  });

  it("closes at once when it opens after its last use was released", async () => {
    const { sharedConnection, answer } = setUp();
    sharedConnection.acquire().release();
    expect((await answer()).closes).toBe(1);
  });

  it("never has two attempts under way", async () => {
    const { clock, sharedConnection, connect, answer } = setUp();
    const uses = [sharedConnection.acquire()];
    for (let second = 0; second < 5; second++) {
      await clock.advance(1_000);
      uses.push(sharedConnection.acquire());
    }
    for (const use of uses.slice(0, 4)) use.release();
    expect(connect).toHaveBeenCalledTimes(1);
    const connection = await answer();
    expect(await uses.at(-1)?.connect()).toBe(connection);
  });

  it("begins a new attempt for the next use after an attempt has failed", async () => {
    const { sharedConnection, connect, fail, answer } = setUp();
    const one = sharedConnection.acquire();
    const waiting = caught(() => one.connect());
    await fail();
    expect(await waiting).toEqual(new Error("refused"));
    const other = sharedConnection.acquire();
    const connection = await answer();
    expect(await other.connect()).toBe(connection);
    expect(connect).toHaveBeenCalledTimes(2);
  });
});

describe("An attempt to connect", () => {
  it("that fails is reported once, also when no operation waits for it", async () => {
    const { clock, sharedConnection, fail, listener } = setUp();
    sharedConnection.acquire();
    sharedConnection.acquire();
    await fail(new Error("refused"));
    expect(listener.unreachable).toHaveBeenCalledExactlyOnceWith(new Error("refused"));
    await clock.advance(10_000);
    expect(listener.unreachable).toHaveBeenCalledTimes(1);
  });

  it("that fails with a string is reported as an Error", async () => {
    const { sharedConnection, fail, listener } = setUp();
    sharedConnection.acquire();
    await fail("no");
    expect(listener.unreachable).toHaveBeenCalledExactlyOnceWith(new Error("no"));
  });

  it("that is overdue counts as failed, and continues", async () => {
    const { clock, sharedConnection, listener } = setUp();
    const use = sharedConnection.acquire();
    const waiting = caught(() => use.connect());
    await clock.advance(1_999);
    expect(listener.unreachable).not.toHaveBeenCalled();
    await clock.advance(1);
    expect(await waiting).toEqual(new Error("The server did not answer within 2000 ms."));
    expect(listener.unreachable).toHaveBeenCalledTimes(1);
  });

  it("that is overdue names the servers if there are several", async () => {
    const { clock, sharedConnection, listener } = setUp({ hosts: "a:1, b" });
    const use = sharedConnection.acquire();
    const waiting = caught(() => use.connect());
    await clock.advance(2_000);
    expect(await waiting).toEqual(new Error("No server answered at a:1, b within 2000 ms."));
    expect(listener.unreachable).toHaveBeenCalledExactlyOnceWith(await waiting);
  });

  it("that succeeds late is reported, and serves the operations of that moment", async () => {
    const { clock, sharedConnection, connect, answer, listener } = setUp();
    sharedConnection.acquire().release();
    await clock.advance(3_000);
    const late = sharedConnection.acquire();
    const connection = await answer();
    expect(listener.connected).toHaveBeenCalledExactlyOnceWith(connection);
    expect(await late.connect()).toBe(connection);
    expect(connect).toHaveBeenCalledTimes(1);
  });

  it("that was overdue and then fails is followed by a new one for the next use", async () => {
    const { clock, sharedConnection, connect, fail } = setUp();
    sharedConnection.acquire().release();
    await clock.advance(3_000);
    await fail();
    sharedConnection.acquire();
    expect(connect).toHaveBeenCalledTimes(2);
  });

  it("gives its first uses one deadline, and later uses their own", async () => {
    const { clock, sharedConnection, answer } = setUp();
    const first = sharedConnection.acquire().deadline;
    await clock.advance(1_500);
    expect(sharedConnection.acquire().deadline).toBe(first);
    await clock.advance(1_000);
    expect(sharedConnection.acquire().deadline).toBe(clock.monotonic() + 2_000);
    await answer();
    expect(sharedConnection.acquire().deadline).toBe(clock.monotonic() + 2_000);
  });
});

describe("A connection that is about to end", () => {
  it("serves its uses, and gets no new ones", async () => {
    const { clock, sharedConnection, connect, answer } = setUp();
    const one = sharedConnection.acquire();
    const leaving = await answer();
    leaving.end();
    await clock.advance(0);
    expect(leaving.closes).toBe(0);
    sharedConnection.acquire();
    expect(connect).toHaveBeenCalledTimes(2);
    one.release();
    await clock.advance(0);
    expect(leaving.closes).toBe(1);
  });

  it("is closed when its last use is released, whatever lingerMs is", async () => {
    const { clock, sharedConnection, answer } = setUp({ lingerMs: 60_000 });
    const use = sharedConnection.acquire();
    const connection = await answer();
    connection.end();
    await clock.advance(0);
    expect(connection.closes).toBe(0);
    use.release();
    await clock.advance(0);
    expect(connection.closes).toBe(1);
  });

  it("is closed at once when it only lingers", async () => {
    const { clock, sharedConnection, answer } = setUp({ lingerMs: 60_000 });
    sharedConnection.acquire().release();
    const connection = await answer();
    connection.end();
    await clock.advance(0);
    expect(connection.closes).toBe(1);
  });
});

it("A discarded connection is closed once, and gets no new uses", async () => {
  const { clock, sharedConnection, connect, answer } = setUp({ lingerMs: 1_000 });
  const one = sharedConnection.acquire();
  const other = sharedConnection.acquire();
  const connection = await answer();
  const close = vi.spyOn(connection, "close");
  one.discard();
  other.discard();
  one.release();
  other.release();
  await clock.advance(5_000);
  expect(connection.closes).toBe(1);
  expect(close).toHaveBeenCalledExactlyOnceWith(true);
  sharedConnection.acquire();
  expect(connect).toHaveBeenCalledTimes(2);
});

describe("Closing the shared connection", () => {
  it("closes an idle connection without lingering, and waits until it is closed", async () => {
    const { clock, sharedConnection, answer } = setUp({ lingerMs: 60_000 });
    sharedConnection.acquire().release();
    const connection = await answer();
    const closed = deferred<void>();
    vi.spyOn(connection, "close").mockReturnValue(closed.promise);
    let done = false;
    const closing = sharedConnection.close().then(() => (done = true));
    await clock.advance(0);
    expect(done).toBe(false);
    closed.resolve();
    await closing;
  });

  it("does not wait for a pending attempt, and closes its connection when it opens", async () => {
    const { sharedConnection, answer } = setUp();
    sharedConnection.acquire().release();
    await sharedConnection.close();
    expect((await answer()).closes).toBe(1);
  });

  it("tells a pending attempt that it is not wanted any more", async () => {
    const { sharedConnection, connect } = setUp();
    sharedConnection.acquire().release();
    const [isUnwanted] = connect.mock.calls[0] ?? [];
    expect(isUnwanted?.()).toBe(false);
    await sharedConnection.close();
    expect(isUnwanted?.()).toBe(true);
  });

  it("resolves when no connection is open", async () => {
    await expect(setUp().sharedConnection.close()).resolves.toBeUndefined();
  });
});

describe("An operation with a deadline", () => {
  it("has the outcome that comes in time, and leaves no timer behind", async () => {
    const clock = new FakeClock();
    expect(await byDeadline(clock, clock.monotonic() + 10, Promise.resolve(1), 10)).toBe(1);
    expect(await caught(() => byDeadline(clock, clock.monotonic() + 10, Promise.reject(new Error("no")), 10))).toEqual(new Error("no"));
    await clock.advance(0);
    expect(clock.timers).toBe(0);
  });

  it("rejects at the deadline, also at one that has passed", async () => {
    const clock = new FakeClock();
    const never = new Promise(() => undefined);
    const waiting = caught(() => byDeadline(clock, clock.monotonic() - 5, never, 10));
    await clock.advance(0);
    expect(await waiting).toEqual(new Error("The server did not answer within 10 ms."));
  });
});
