import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { caught } from "../testing/errors.ts";
import { deferred, messageTo } from "../testing/fake-connection.ts";
import { Relay, type Batch, type RelayOptions } from "./relay.ts";
import type { Delivery } from "../network/publisher.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  vi.spyOn(Math, "random").mockReturnValue(0.5);
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

/** A relay with an outbox of keys, and a server that answers or not. */
function setUp(given: Partial<RelayOptions> = {}) {
  const waiting: string[] = [];
  const attempts: string[][] = [];
  const server = { answers: true, unreachable: true };
  const turn = { comes: true };
  const drains = vi.fn<() => Promise<void>>().mockResolvedValue();
  const onOffline = vi.fn<RelayOptions["onOffline"]>();
  const onOnline = vi.fn<RelayOptions["onOnline"]>();
  const relay: Relay = new Relay(
    {
      async drain(send: (batch: Batch) => Promise<boolean>) {
        await drains();
        while (waiting.length > 0) {
          const keys = waiting.slice(0, 2);
          const goOn = await send({
            messages: keys.map((key) => messageTo(key)),
            settle: (deliveries) => {
              if (deliveries.every(({ status }) => status !== "failed")) waiting.splice(0, keys.length);
            },
          });
          if (!goOn) break;
        }
        return turn.comes;
      },
      pending: async () => waiting.length,
    },
    {
      background: true,
      loopback: true,
      timeoutMs: 2_000,
      publish: async (messages): Promise<Delivery[]> => {
        attempts.push(messages.map(({ id }) => id.slice(3)));
        if (server.answers) {
          relay.connected();
          relay.worked();
          return messages.map(() => ({ status: "confirmed" }));
        }
        relay.failed(new Error("nobody there"), server.unreachable);
        return messages.map(() => ({ status: "failed", error: new Error("nobody there") }));
      },
      onOffline,
      onOnline,
      ...given,
    },
  );
  return { relay, waiting, attempts, server, turn, drains, onOffline, onOnline };
}

/** A relay whose drain in the background is reading the outbox, until `held` resolves. */
async function startHeldDrain() {
  const all = setUp();
  const held = deferred<void>();
  all.drains.mockReturnValueOnce(held.promise);
  all.relay.kick();
  await vi.advanceTimersByTimeAsync(0);
  return { ...all, held };
}

describe("a relay that has said it is offline, with nothing that waits", () => {
  async function setUpOffline() {
    const all = setUp();
    all.server.answers = false;
    all.waiting.push("a");
    await all.relay.drain();
    // Another tab sends it.
    all.waiting.pop();
    all.attempts.splice(0);
    await vi.advanceTimersByTimeAsync(0);
    return all;
  }

  it.each<[when: string, act: (relay: Relay) => unknown]>([
    ["the page wakes", (relay) => relay.wake()],
    ["it is asked to flush", (relay) => relay.flush()],
  ])("asks the server at once when %s, and says that it is back", async (_, act) => {
    const { relay, attempts, server, onOnline } = await setUpOffline();
    server.answers = true;
    act(relay);
    await vi.advanceTimersByTimeAsync(0);
    expect(attempts).toEqual([[]]);
    await vi.advanceTimersByTimeAsync(0);
    expect(onOnline.mock.calls).toEqual([[0]]);
    relay.wake();
    await vi.advanceTimersByTimeAsync(0);
    expect(attempts).toEqual([[]]);
  });

  it("asks when its next attempt is due after another tab has reached the server, however often that tells of it", async () => {
    const { relay, attempts, server, onOnline } = await setUpOffline();
    relay.reachedElsewhere();
    relay.reachedElsewhere();
    await vi.advanceTimersByTimeAsync(0);
    expect(attempts).toEqual([]);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(attempts).toEqual([[]]);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(attempts).toEqual([[]]);

    server.answers = true;
    relay.reachedElsewhere();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(attempts).toEqual([[], []]);
    expect(onOnline).toHaveBeenCalledTimes(1);
    relay.reachedElsewhere();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(attempts).toEqual([[], []]);
  });

  it("asks nobody by itself", async () => {
    const { attempts } = await setUpOffline();
    await vi.advanceTimersByTimeAsync(200_000);
    expect(attempts).toEqual([]);
  });
});

describe("a drain", () => {
  it("publishes what waits, batch by batch, and counts it", async () => {
    const { relay, waiting, attempts } = setUp();
    waiting.push("a", "b", "c");
    expect(await relay.drain()).toEqual({ published: 3, failed: false });
    expect(attempts).toEqual([["a", "b"], ["c"]]);
  });

  it("ends with the first batch that fails: one attempt, however many wait", async () => {
    const { relay, waiting, attempts, server } = setUp();
    server.answers = false;
    waiting.push("a", "b", "c", "d", "e");
    expect(await relay.drain()).toEqual({ published: 0, failed: true });
    expect(attempts).toEqual([["a", "b"]]);
  });

  it("that was under way before a flush, and fails after it, is followed by one of its own", async () => {
    const { relay, waiting, attempts, server, drains } = setUp();
    waiting.push("a");
    server.answers = false;
    const { flush, goOn } = flushDuringDrain(relay, drains);
    await vi.advanceTimersByTimeAsync(200);
    goOn();
    drains.mockImplementationOnce(async () => void (server.answers = true));
    expect(await flush).toEqual({ published: 1, failed: false });
    expect(attempts).toEqual([["a"], ["a"]]);
  });

  it("of a flush counts what the one before it has published, though that failed", async () => {
    const fails = [false, true, false];
    const { relay, waiting, drains } = setUp({
      publish: async (messages) => {
        const isLost = fails.shift() ?? false;
        return messages.map(() => (isLost ? { status: "failed", error: new Error("lost") } : { status: "confirmed" }));
      },
    });
    waiting.push("a", "b", "c");
    const { flush, goOn } = flushDuringDrain(relay, drains);
    goOn();
    expect(await flush).toEqual({ published: 3, failed: false });
  });

  it("of a flush is not waited for beyond the time of one attempt", async () => {
    const { relay, waiting, server, drains } = setUp();
    waiting.push("a");
    server.answers = false;
    const { flush, goOn } = flushDuringDrain(relay, drains);
    await vi.advanceTimersByTimeAsync(1_500);
    drains.mockReturnValue(new Promise(() => undefined));
    goOn();
    await vi.advanceTimersByTimeAsync(500);
    expect(await flush).toEqual({ published: 0, failed: true });
  });

  it("under way is joined, not doubled", async () => {
    const { relay, waiting, attempts, drains } = setUp();
    const held = deferred<void>();
    drains.mockReturnValueOnce(held.promise);
    waiting.push("a");
    const both = Promise.all([relay.drain(), relay.drain()]);
    held.resolve();
    expect(await both).toMatchObject([{ published: 1 }, { published: 1 }]);
    expect(attempts).toHaveLength(1);
  });

  it("that was kicked while under way is followed by another", async () => {
    const { relay, drains } = setUp();
    const held = deferred<void>();
    drains.mockReturnValueOnce(held.promise);
    const drain = relay.drain();
    relay.kick();
    relay.kick();
    held.resolve();
    await drain;
    expect(drains).toHaveBeenCalledTimes(2);
  });

  it("that is asked for while one is under way publishes what that one has passed by", async () => {
    const outbox: string[] = [];
    const held = deferred<void>();
    const relay = new Relay(
      {
        async drain(send) {
          const found = outbox.splice(0);
          await held.promise;
          if (found.length > 0) await send({ messages: found.map((key) => messageTo(key)), settle: () => undefined });
          return true;
        },
        pending: async () => outbox.length,
      },
      {
        background: true,
        loopback: true,
        timeoutMs: 2_000,
        publish: async (messages) => messages.map(() => ({ status: "confirmed" })),
        onOffline: () => undefined,
        onOnline: () => undefined,
      },
    );
    relay.kick();
    outbox.push("a");
    const flush = relay.drain();
    held.resolve();
    expect(await flush).toMatchObject({ published: 1 });
  });

  it("that failed is not followed at once, kicked or not", async () => {
    const { relay, waiting, server, attempts } = setUp();
    server.answers = false;
    waiting.push("a");
    const drain = relay.drain();
    relay.kick();
    await drain;
    await vi.advanceTimersByTimeAsync(0);
    expect(attempts).toHaveLength(1);
  });

  it("that was under way when another attempt failed makes no attempt of its own in the same backoff step", async () => {
    const { relay, waiting, attempts, held } = await startHeldDrain();
    // A lone write was not published, and is queued from now on.
    relay.failed(new Error("nobody there"), true);
    waiting.push("a");
    held.resolve();
    await vi.advanceTimersByTimeAsync(499);
    expect(attempts).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(attempts).toEqual([["a"]]);
  });

  it("that was under way when another attempt failed still tries if it is asked for again", async () => {
    const { relay, waiting, attempts, held } = await startHeldDrain();
    relay.failed(new Error("nobody there"), true);
    waiting.push("a");
    relay.wake();
    held.resolve();
    await vi.advanceTimersByTimeAsync(0);
    expect(attempts).toEqual([["a"]]);
  });

  it("that was under way when another attempt failed continues once the server has answered", async () => {
    const { relay, waiting, attempts, held } = await startHeldDrain();
    relay.failed(new Error("lost"), false);
    relay.worked();
    waiting.push("a");
    held.resolve();
    await vi.advanceTimersByTimeAsync(0);
    expect(attempts).toEqual([["a"]]);
  });

  it("is none that is not asked for where there is no background", async () => {
    const { relay, waiting, attempts } = setUp({ background: false });
    waiting.push("a");
    relay.kick();
    relay.retryLater();
    await vi.advanceTimersByTimeAsync(120_000);
    expect(attempts).toEqual([]);
    expect(await relay.flush()).toEqual({ published: 1, failed: false });
  });

  it("that does not get its turn is tried again later", async () => {
    const { relay, drains, turn } = setUp();
    turn.comes = false;
    relay.kick();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(drains.mock.calls.length).toBeGreaterThan(1);
  });

  it("that throws is tried again later in the background", async () => {
    const { relay, drains } = setUp();
    drains.mockRejectedValueOnce(new Error("IndexedDB cannot be opened"));
    relay.kick();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(drains.mock.calls.length).toBeGreaterThan(1);
  });
});

describe("while writes wait", () => {
  it("there is one attempt a step, with growing steps up to 60 s", async () => {
    const { relay, waiting, attempts, server } = setUp();
    server.answers = false;
    waiting.push("a", "b", "c");
    relay.kick();
    await vi.advanceTimersByTimeAsync(0);
    const times: number[] = [];
    for (let seen = attempts.length, now = 0; now < 200_000; now += 250) {
      if (attempts.length > seen) times.push(now);
      seen = attempts.length;
      await vi.advanceTimersByTimeAsync(250);
    }
    const steps = times.map((time, index) => time - (times[index - 1] ?? 0));
    expect(steps.slice(0, 8)).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
  });

  it("they are published as soon as the server answers, and nothing is tried after that", async () => {
    const { relay, waiting, server, attempts } = setUp();
    server.answers = false;
    waiting.push("a");
    relay.kick();
    await vi.advanceTimersByTimeAsync(0);
    server.answers = true;
    await vi.advanceTimersByTimeAsync(500);
    expect(waiting).toEqual([]);
    const before = attempts.length;
    await vi.advanceTimersByTimeAsync(600_000);
    expect(attempts).toHaveLength(before);
  });

  it("a success starts the steps anew", async () => {
    const { relay, waiting, server, attempts } = setUp();
    server.answers = false;
    waiting.push("a");
    relay.kick();
    await vi.advanceTimersByTimeAsync(20_000);
    server.answers = true;
    await vi.advanceTimersByTimeAsync(30_000);
    server.answers = false;
    waiting.push("b");
    relay.kick();
    await vi.advanceTimersByTimeAsync(0);
    const before = attempts.length;
    await vi.advanceTimersByTimeAsync(499);
    expect(attempts).toHaveLength(before);
    await vi.advanceTimersByTimeAsync(1);
    expect(attempts).toHaveLength(before + 1);
  });

  it("a kick tries at once, whatever step it is", async () => {
    const { relay, waiting, server, attempts } = setUp();
    server.answers = false;
    waiting.push("a");
    relay.kick();
    await vi.advanceTimersByTimeAsync(10_000);
    const before = attempts.length;
    relay.kick();
    await vi.advanceTimersByTimeAsync(0);
    expect(attempts).toHaveLength(before + 1);
  });
});

describe("a relay", () => {
  it("is offline after no connection could be opened, until the next attempt is due", () => {
    const { relay } = setUp();
    expect(relay.isOffline).toBe(false);
    relay.failed(new Error("refused"), true);
    expect(relay.isOffline).toBe(true);
    vi.advanceTimersByTime(499);
    expect(relay.isOffline).toBe(true);
    vi.advanceTimersByTime(1);
    expect(relay.isOffline).toBe(false);
  });

  it("is online again as soon as a connection was opened", () => {
    const { relay } = setUp();
    relay.failed(new Error("refused"), true);
    relay.connected();
    expect(relay.isOffline).toBe(false);
  });

  it("stays offline when an older connection breaks after no new one could be opened", () => {
    const { relay } = setUp();
    relay.failed(new Error("refused"), true);
    relay.failed(new Error("lost"), false);
    expect(relay.isOffline).toBe(true);
  });

  it("tries again after a failure that no drain has met", async () => {
    const { relay, waiting, attempts } = setUp();
    relay.failed(new Error("lost"), false);
    waiting.push("a");
    await vi.advanceTimersByTimeAsync(499);
    expect(attempts).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(attempts).toEqual([["a"]]);
  });

  it("does not look for writes that wait when another tab reaches the server that it reaches itself", async () => {
    const { relay, drains } = setUp();
    relay.reachedElsewhere();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(drains).not.toHaveBeenCalled();
  });

  it("that is stopped ends its drain with the batch under way, and tells of no failure any more", async () => {
    const sending = deferred<Delivery[]>();
    const { relay, waiting, drains, onOffline } = setUp({ publish: () => sending.promise });
    waiting.push("a", "b", "c");
    const drain = relay.drain();
    await vi.advanceTimersByTimeAsync(0);
    relay.kick();
    const stopping = relay.stop();
    relay.failed(new Error("lost"), true);
    sending.resolve([{ status: "confirmed" }, { status: "confirmed" }]);
    await Promise.all([drain, stopping]);
    expect([waiting, drains.mock.calls.length, onOffline.mock.calls]).toEqual([["c"], 1, []]);
  });

  it("publishes the outbox as soon as any operation has opened a connection again", async () => {
    const { relay, waiting, attempts } = setUp();
    relay.failed(new Error("refused"), true);
    waiting.push("a");
    relay.connected();
    await vi.advanceTimersByTimeAsync(0);
    expect(attempts).toEqual([["a"]]);
  });

  it("does not read the outbox at each connection while the server is reachable", async () => {
    const { relay, drains } = setUp();
    relay.connected();
    relay.failed(new Error("lost"), false);
    relay.connected();
    await vi.advanceTimersByTimeAsync(0);
    expect(drains).not.toHaveBeenCalled();
  });

  it("is not offline because a connection that was open did not do its work", () => {
    const { relay } = setUp();
    relay.failed(new Error("lost"), false);
    expect(relay.isOffline).toBe(false);
  });

  it.each([
    [false, false, true],
    [false, true, false],
    [true, false, false],
  ])("with servers on loopback %s and navigator.onLine %s is offline: %s", (loopback, onLine, expected) => {
    vi.stubGlobal("navigator", { onLine });
    expect(setUp({ loopback }).relay.isOffline).toBe(expected);
  });

  it("without a navigator is online", () => {
    vi.stubGlobal("navigator", undefined);
    expect(setUp({ loopback: false }).relay.isOffline).toBe(false);
  });

  it("tells of every failure with what waits, and of coming back once", async () => {
    const { relay, waiting, server, onOffline, onOnline } = setUp();
    server.answers = false;
    waiting.push("a", "b");
    await relay.drain();
    await relay.reported;
    expect(onOffline).toHaveBeenCalledExactlyOnceWith(new Error("nobody there"), 2);
    expect(onOnline).not.toHaveBeenCalled();
    server.answers = true;
    await relay.drain();
    await vi.advanceTimersByTimeAsync(0);
    expect(onOnline).toHaveBeenCalledTimes(1);
  });

  it("that is stopped waits for the drain under way, then does nothing any more", async () => {
    const { relay, waiting, drains, server } = setUp();
    server.answers = false;
    waiting.push("a");
    const held = deferred<void>();
    drains.mockReturnValueOnce(held.promise);
    const drain = relay.drain();
    let stopped = false;
    const stopping = relay.stop().then(() => (stopped = true));
    await vi.advanceTimersByTimeAsync(0);
    expect(stopped).toBe(false);
    held.resolve();
    await Promise.all([drain, stopping]);
    const before = drains.mock.calls.length;
    relay.kick();
    relay.retryLater();
    await vi.advanceTimersByTimeAsync(120_000);
    expect(drains).toHaveBeenCalledTimes(before);
  });

  it("that is stopped while a drain fails does not reject for that", async () => {
    const { relay, drains } = setUp();
    drains.mockRejectedValue(new Error("no database"));
    const drain = caught(() => relay.drain());
    await relay.stop();
    expect(await drain).toEqual(new Error("no database"));
  });
});

/** Flushes while a drain is under way, which hangs until it is told to go on. */
function flushDuringDrain(relay: Relay, drains: ReturnType<typeof setUp>["drains"]) {
  const { promise, resolve: goOn } = deferred<void>();
  drains.mockReturnValueOnce(promise);
  relay.kick();
  return { flush: relay.flush(), goOn };
}
