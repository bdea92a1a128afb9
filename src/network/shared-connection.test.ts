import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { caught } from "../testing/errors.ts";
import { deferred, FakeConnection } from "../testing/fake-connection.ts";
import type { Connection } from "./connection.ts";
import { byDeadline, SharedConnection } from "./shared-connection.ts";

beforeEach(() => vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] }));
afterEach(() => vi.useRealTimers());

function setUp(given: { lingerMs?: number; timeoutMs?: number } = {}) {
  const attempts: ReturnType<typeof deferred<Connection>>[] = [];
  const health = { connected: vi.fn<(connection: Connection) => void>(), unreachable: vi.fn<(error: Error) => void>() };
  const dial = vi.fn<() => Promise<Connection>>(() => {
    const attempt = deferred<Connection>();
    attempts.push(attempt);
    return attempt.promise;
  });
  const sharedConnection = new SharedConnection(dial, health, { timeoutMs: 2_000, lingerMs: 0, ...given });
  /** The attempt under way succeeds. */
  const answer = async (index = attempts.length - 1): Promise<FakeConnection> => {
    const connection = new FakeConnection();
    attempts[index]?.resolve(connection);
    await vi.advanceTimersByTimeAsync(0);
    return connection;
  };
  const fail = async (error: unknown = new Error("refused"), index = attempts.length - 1): Promise<void> => {
    attempts[index]?.reject(error);
    await vi.advanceTimersByTimeAsync(0);
  };
  return { sharedConnection, dial, health, answer, fail };
}

describe("a sharedConnection", () => {
  it("opens nothing until it is needed", () => {
    expect(setUp().dial).not.toHaveBeenCalled();
  });

  it("gives one connection to all who need one at the same time, and closes it when the last is done", async () => {
    const { sharedConnection, dial, answer, health } = setUp();
    const one = sharedConnection.acquire();
    const other = sharedConnection.acquire();
    const connection = await answer();
    expect(await one.connect()).toBe(connection);
    expect(await other.connect()).toBe(connection);
    expect(dial).toHaveBeenCalledTimes(1);
    expect(health.connected).toHaveBeenCalledExactlyOnceWith(connection);
    one.release();
    one.release();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(connection.closes).toBe(0);
    other.release();
    await vi.advanceTimersByTimeAsync(0);
    expect(connection.closes).toBe(1);
  });

  it.each(["before", "after"])(
    "gives a connection that others still use to those who come later, when one is done %s it opens",
    async (when) => {
      const { sharedConnection, dial, answer } = setUp();
      const [done, stays] = [sharedConnection.acquire(), sharedConnection.acquire()];
      if (when === "before") done.release();
      const connection = await answer();
      done.release();
      const later = sharedConnection.acquire();
      expect(await later.connect()).toBe(connection);
      expect(dial).toHaveBeenCalledTimes(1);
      later.release();
      await vi.advanceTimersByTimeAsync(0);
      expect(connection.closes).toBe(0);
      stays.release();
      await vi.advanceTimersByTimeAsync(0);
      expect(connection.closes).toBe(1);
    },
  );

  it("opens another connection after the first was closed", async () => {
    const { sharedConnection, dial, answer } = setUp();
    const one = sharedConnection.acquire();
    await answer();
    one.release();
    const other = sharedConnection.acquire();
    const second = await answer();
    expect(await other.connect()).toBe(second);
    expect(dial).toHaveBeenCalledTimes(2);
  });

  it("keeps an idle connection for lingerMs, and not longer", async () => {
    const { sharedConnection, dial, answer } = setUp({ lingerMs: 500 });
    sharedConnection.acquire().release();
    const connection = await answer();
    await vi.advanceTimersByTimeAsync(499);
    const again = sharedConnection.acquire();
    expect(dial).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(connection.closes).toBe(0);
    again.release();
    await vi.advanceTimersByTimeAsync(499);
    expect(connection.closes).toBe(0);
    await vi.advanceTimersByTimeAsync(1);
    expect(connection.closes).toBe(1);
  });

  it("closes a connection at once that opens when nobody needs it any more", async () => {
    const { sharedConnection, answer } = setUp();
    sharedConnection.acquire().release();
    expect((await answer()).closes).toBe(1);
  });

  it("never has two attempts under way", async () => {
    const { sharedConnection, dial, answer } = setUp();
    const shares = [sharedConnection.acquire()];
    for (let second = 0; second < 5; second++) {
      await vi.advanceTimersByTimeAsync(1_000);
      shares.push(sharedConnection.acquire());
    }
    for (const share of shares.slice(0, 4)) share.release();
    expect(dial).toHaveBeenCalledTimes(1);
    const connection = await answer();
    expect(await shares.at(-1)?.connect()).toBe(connection);
  });

  it("tries again for the next share after an attempt has failed", async () => {
    const { sharedConnection, dial, fail, answer } = setUp();
    const one = sharedConnection.acquire();
    const waiting = caught(() => one.connect());
    await fail();
    expect(await waiting).toEqual(new Error("refused"));
    const other = sharedConnection.acquire();
    const connection = await answer();
    expect(await other.connect()).toBe(connection);
    expect(dial).toHaveBeenCalledTimes(2);
  });
});

describe("an attempt", () => {
  it("that fails is reported once, to whoever waits for it or nobody", async () => {
    const { sharedConnection, fail, health } = setUp();
    sharedConnection.acquire();
    sharedConnection.acquire();
    await fail(new Error("refused"));
    expect(health.unreachable).toHaveBeenCalledExactlyOnceWith(new Error("refused"));
    await vi.advanceTimersByTimeAsync(10_000);
    expect(health.unreachable).toHaveBeenCalledTimes(1);
  });

  it("that fails with something that is no error is reported as one", async () => {
    const { sharedConnection, fail, health } = setUp();
    sharedConnection.acquire();
    await fail("no");
    expect(health.unreachable).toHaveBeenCalledExactlyOnceWith(new Error("no"));
  });

  it("that is overdue counts as failed for those who wait, and goes on", async () => {
    const { sharedConnection, health } = setUp();
    const share = sharedConnection.acquire();
    const waiting = caught(() => share.connect());
    await vi.advanceTimersByTimeAsync(1_999);
    expect(health.unreachable).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(await waiting).toEqual(new Error("The server did not answer within 2000 ms."));
    expect(health.unreachable).toHaveBeenCalledTimes(1);
  });

  it("that succeeds late is told, and serves those who need a connection then", async () => {
    const { sharedConnection, dial, answer, health } = setUp();
    sharedConnection.acquire().release();
    await vi.advanceTimersByTimeAsync(3_000);
    const late = sharedConnection.acquire();
    const connection = await answer();
    expect(health.connected).toHaveBeenCalledExactlyOnceWith(connection);
    expect(await late.connect()).toBe(connection);
    expect(dial).toHaveBeenCalledTimes(1);
  });

  it("that was overdue and then fails lets the next share try again", async () => {
    const { sharedConnection, dial, fail } = setUp();
    sharedConnection.acquire().release();
    await vi.advanceTimersByTimeAsync(3_000);
    await fail();
    sharedConnection.acquire();
    expect(dial).toHaveBeenCalledTimes(2);
  });

  it("gives the shares of its beginning one deadline, and later ones their own", async () => {
    const { sharedConnection, answer } = setUp();
    const first = sharedConnection.acquire().deadline;
    await vi.advanceTimersByTimeAsync(1_500);
    expect(sharedConnection.acquire().deadline).toBe(first);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(sharedConnection.acquire().deadline).toBe(performance.now() + 2_000);
    await answer();
    expect(sharedConnection.acquire().deadline).toBe(performance.now() + 2_000);
  });
});

describe("a connection that is about to end", () => {
  it("serves those who have it, and nobody else", async () => {
    const { sharedConnection, dial, answer } = setUp();
    const one = sharedConnection.acquire();
    const leaving = await answer();
    leaving.end();
    await vi.advanceTimersByTimeAsync(0);
    expect(leaving.closes).toBe(0);
    sharedConnection.acquire();
    expect(dial).toHaveBeenCalledTimes(2);
    one.release();
    await vi.advanceTimersByTimeAsync(0);
    expect(leaving.closes).toBe(1);
  });

  it("is closed at once when the last who uses it is done, however long others linger", async () => {
    const { sharedConnection, answer } = setUp({ lingerMs: 60_000 });
    const share = sharedConnection.acquire();
    const connection = await answer();
    connection.end();
    await vi.advanceTimersByTimeAsync(0);
    expect(connection.closes).toBe(0);
    share.release();
    await vi.advanceTimersByTimeAsync(0);
    expect(connection.closes).toBe(1);
  });

  it("is closed at once when it only lingers", async () => {
    const { sharedConnection, answer } = setUp({ lingerMs: 60_000 });
    sharedConnection.acquire().release();
    const connection = await answer();
    connection.end();
    await vi.advanceTimersByTimeAsync(0);
    expect(connection.closes).toBe(1);
  });
});

it("a discarded connection is closed once, and not given to anybody any more", async () => {
  const { sharedConnection, dial, answer } = setUp({ lingerMs: 1_000 });
  const one = sharedConnection.acquire();
  const other = sharedConnection.acquire();
  const connection = await answer();
  one.discard();
  other.discard();
  one.release();
  other.release();
  await vi.advanceTimersByTimeAsync(5_000);
  expect(connection.closes).toBe(1);
  sharedConnection.acquire();
  expect(dial).toHaveBeenCalledTimes(2);
});

describe("closing", () => {
  it("ends an idle connection without lingering, and waits for that", async () => {
    const { sharedConnection, answer } = setUp({ lingerMs: 60_000 });
    sharedConnection.acquire().release();
    const connection = await answer();
    const closed = deferred<void>();
    vi.spyOn(connection, "close").mockReturnValue(closed.promise);
    let done = false;
    const closing = sharedConnection.close().then(() => (done = true));
    await vi.advanceTimersByTimeAsync(0);
    expect(done).toBe(false);
    closed.resolve();
    await closing;
  });

  it("does not wait for an attempt that may go on for long, and closes what that opens", async () => {
    const { sharedConnection, answer } = setUp();
    sharedConnection.acquire().release();
    await sharedConnection.close();
    expect((await answer()).closes).toBe(1);
  });

  it("with nothing open is done at once", async () => {
    await expect(setUp().sharedConnection.close()).resolves.toBeUndefined();
  });
});

describe("byDeadline", () => {
  it("gives the outcome that comes in time, and leaves no timer behind", async () => {
    expect(await byDeadline(performance.now() + 10, Promise.resolve(1), 10)).toBe(1);
    expect(await caught(() => byDeadline(performance.now() + 10, Promise.reject(new Error("no")), 10))).toEqual(new Error("no"));
    await vi.advanceTimersByTimeAsync(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("gives up at the deadline, one that has passed too", async () => {
    const never = new Promise(() => undefined);
    const waiting = caught(() => byDeadline(performance.now() - 5, never, 10));
    await vi.advanceTimersByTimeAsync(0);
    expect(await waiting).toEqual(new Error("The server did not answer within 10 ms."));
  });
});
