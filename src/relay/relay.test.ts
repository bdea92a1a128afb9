import { describe, expect, it } from "vitest";
import { caught } from "../testing/errors.ts";
import { deferred } from "../testing/fake-connection.ts";
import { holdDrain, setUpRelay } from "../testing/relay.ts";

const LOST = new Error("lost");
const REFUSED = new Error("refused");

/** A relay whose drain in the background is reading the outbox, until `goOn` is called. */
async function startHeldDrain() {
  const all = setUpRelay();
  const goOn = holdDrain(all);
  all.relay.kick();
  await all.clock.advance(0);
  return { ...all, goOn };
}

describe("A drain", () => {
  it("publishes the outbox batch by batch, and counts the writes", async () => {
    const { relay, waiting, attempts } = setUpRelay();
    waiting.push("a", "b", "c");
    expect(await relay.drain()).toEqual({ published: 3, failed: false });
    expect(attempts()).toEqual([["a", "b"], ["c"]]);
  });

  it("ends with the first batch that fails: one attempt, however many writes wait", async () => {
    const { relay, waiting, attempts, setServer } = setUpRelay();
    setServer(false);
    waiting.push("a", "b", "c", "d", "e");
    expect(await relay.drain()).toEqual({ published: 0, failed: true });
    expect(attempts()).toEqual([["a", "b"]]);
  });

  it("is joined by a second call, which starts no other drain", async () => {
    const all = setUpRelay();
    const { relay, waiting, attempts } = all;
    const goOn = holdDrain(all);
    waiting.push("a");
    const both = Promise.all([relay.drain(), relay.drain()]);
    goOn();
    expect(await both).toMatchObject([{ published: 1 }, { published: 1 }]);
    expect(attempts()).toHaveLength(1);
  });

  it("is followed by one other drain when the relay is kicked meanwhile, once or twice", async () => {
    const all = setUpRelay();
    const { relay, drains } = all;
    const goOn = holdDrain(all);
    const drain = relay.drain();
    relay.kick();
    relay.kick();
    goOn();
    await drain;
    expect(drains).toHaveBeenCalledTimes(2);
  });

  it("reads the outbox once more when a write was queued after it had read it", async () => {
    const outbox: string[] = [];
    const held = deferred<void>();
    const { relay } = setUpRelay({
      drainOutbox: async () => {
        const found = outbox.splice(0);
        await held.promise;
        return { published: found.length, failed: false, isComplete: true };
      },
    });
    relay.kick();
    outbox.push("a");
    const flush = relay.drain();
    held.resolve();
    expect(await flush).toMatchObject({ published: 1 });
  });

  it("that failed is not followed at once by another, though the relay was kicked meanwhile", async () => {
    const { clock, relay, waiting, setServer, attempts } = setUpRelay();
    setServer(false);
    waiting.push("a");
    const drain = relay.drain();
    relay.kick();
    await drain;
    await clock.advance(0);
    expect(attempts()).toHaveLength(1);
  });

  it("makes no attempt when the attempt of a lone write has failed meanwhile, before the next step", async () => {
    const { clock, reachability, waiting, attempts, goOn } = await startHeldDrain();
    // The lone write is queued from now on.
    reachability.unreachable(REFUSED);
    waiting.push("a");
    goOn();
    await clock.advance(499);
    expect(attempts()).toEqual([]);
    await clock.advance(1);
    expect(attempts()).toEqual([["a"]]);
  });

  it("makes an attempt when the page wakes after the attempt of a lone write has failed", async () => {
    const { clock, relay, reachability, waiting, attempts, goOn } = await startHeldDrain();
    reachability.unreachable(REFUSED);
    waiting.push("a");
    relay.wake();
    goOn();
    await clock.advance(0);
    expect(attempts()).toEqual([["a"]]);
  });

  it("makes an attempt when the server has answered since the attempt of a lone write failed", async () => {
    const { clock, reachability, waiting, attempts, goOn } = await startHeldDrain();
    reachability.broken(LOST);
    reachability.answered();
    waiting.push("a");
    goOn();
    await clock.advance(0);
    expect(attempts()).toEqual([["a"]]);
  });

  it("begins only with a flush where background work is off", async () => {
    const { clock, relay, waiting, attempts } = setUpRelay({ inBackground: false });
    waiting.push("a");
    relay.kick();
    relay.retryLater();
    await clock.advance(120_000);
    expect(attempts()).toEqual([]);
    expect(await relay.flush()).toEqual({ published: 1, failed: false });
  });

  it("is tried again later when its turn did not come", async () => {
    const { clock, relay, drains, turn } = setUpRelay();
    turn.comes = false;
    relay.kick();
    await clock.advance(0);
    await clock.advance(60_000);
    expect(drains.mock.calls.length).toBeGreaterThan(1);
  });

  it("is tried again later in the background when the storage failed", async () => {
    const { clock, relay, drains } = setUpRelay();
    drains.mockRejectedValueOnce(new Error("IndexedDB cannot be opened"));
    relay.kick();
    await clock.advance(0);
    await clock.advance(60_000);
    expect(drains.mock.calls.length).toBeGreaterThan(1);
  });
});

describe("While writes wait, the relay", () => {
  it("makes one attempt per step, with steps that grow up to 60 s", async () => {
    const { clock, relay, waiting, attempts, setServer } = setUpRelay();
    setServer(false);
    waiting.push("a", "b", "c");
    relay.kick();
    await clock.advance(0);
    const times: number[] = [];
    for (let seen = attempts().length, now = 0; now < 200_000; now += 250) {
      if (attempts().length > seen) times.push(now);
      seen = attempts().length;
      await clock.advance(250);
    }
    const steps = times.map((time, index) => time - (times[index - 1] ?? 0));
    expect(steps.slice(0, 8)).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
  });

  it("publishes them as soon as the server answers, and makes no further attempt", async () => {
    const { clock, relay, waiting, setServer, attempts } = setUpRelay();
    setServer(false);
    waiting.push("a");
    relay.kick();
    await clock.advance(0);
    setServer(true);
    await clock.advance(500);
    expect(waiting).toEqual([]);
    const before = attempts().length;
    await clock.advance(600_000);
    expect(attempts()).toHaveLength(before);
  });

  it("begins with the shortest step again after a success", async () => {
    const { clock, relay, waiting, setServer, attempts } = setUpRelay();
    setServer(false);
    waiting.push("a");
    relay.kick();
    await clock.advance(20_000);
    setServer(true);
    await clock.advance(30_000);
    setServer(false);
    waiting.push("b");
    relay.kick();
    await clock.advance(0);
    const before = attempts().length;
    await clock.advance(499);
    expect(attempts()).toHaveLength(before);
    await clock.advance(1);
    expect(attempts()).toHaveLength(before + 1);
  });

  it("makes an attempt at once when it is kicked, before the next attempt is due", async () => {
    const { clock, relay, waiting, setServer, attempts } = setUpRelay();
    setServer(false);
    waiting.push("a");
    relay.kick();
    await clock.advance(10_000);
    const before = attempts().length;
    relay.kick();
    await clock.advance(0);
    expect(attempts()).toHaveLength(before + 1);
  });

  it("makes an attempt after a failure of another operation, when it is due", async () => {
    const { clock, reachability, waiting, attempts } = setUpRelay();
    reachability.broken(LOST);
    waiting.push("a");
    await clock.advance(499);
    expect(attempts()).toEqual([]);
    await clock.advance(1);
    expect(attempts()).toEqual([["a"]]);
  });

  it("publishes them as soon as another operation has opened a connection again", async () => {
    const { clock, reachability, waiting, attempts } = setUpRelay();
    reachability.unreachable(REFUSED);
    waiting.push("a");
    reachability.connected();
    await clock.advance(0);
    expect(attempts()).toEqual([["a"]]);
  });
});

describe("A relay", () => {
  it("does not read the outbox when another tab reaches the server while this tab is online", async () => {
    const { clock, relay, drains } = setUpRelay();
    relay.reachedElsewhere();
    await clock.advance(60_000);
    expect(drains).not.toHaveBeenCalled();
  });

  it("does not read the outbox at each connection while the server is reachable", async () => {
    const { clock, reachability, drains } = setUpRelay();
    reachability.connected();
    reachability.broken(LOST);
    reachability.connected();
    await clock.advance(0);
    expect(drains).not.toHaveBeenCalled();
  });

  it("ends its drain with the batch in flight when it is stopped, and reports no later failure", async () => {
    const { clock, relay, reachability, transport, waiting, drains, onOffline } = setUpRelay();
    const sending = deferred<void>();
    transport.held = sending.promise;
    waiting.push("a", "b", "c");
    const drain = relay.drain();
    await clock.advance(0);
    relay.kick();
    const stopping = Promise.all([relay.stop(), reachability.stop()]);
    reachability.unreachable(LOST);
    sending.resolve();
    await Promise.all([drain, stopping]);
    expect(waiting).toEqual(["c"]);
    expect(drains).toHaveBeenCalledTimes(1);
    expect(onOffline).not.toHaveBeenCalled();
  });

  it("waits for the drain under way when it is stopped, and drains no more", async () => {
    const all = setUpRelay();
    const { clock, relay, waiting, drains, setServer } = all;
    setServer(false);
    waiting.push("a");
    const goOn = holdDrain(all);
    const drain = relay.drain();
    let isStopped = false;
    const stopping = relay.stop().then(() => (isStopped = true));
    await clock.advance(0);
    expect(isStopped).toBe(false);
    goOn();
    await Promise.all([drain, stopping]);
    relay.kick();
    relay.retryLater();
    await clock.advance(120_000);
    expect(drains).toHaveBeenCalledTimes(1);
  });

  it("resolves its stop when the drain under way fails", async () => {
    const { relay, drains } = setUpRelay();
    drains.mockRejectedValue(new Error("no database"));
    const drain = caught(() => relay.drain());
    await relay.stop();
    expect(await drain).toEqual(new Error("no database"));
  });
});
