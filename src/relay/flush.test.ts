import { describe, expect, it } from "vitest";
import { deferred, messageTo } from "../testing/fake-connection.ts";
import { holdDrain, setUpRelay } from "../testing/relay.ts";
import type { Relay } from "./relay.ts";

const LOST = new Error("lost");

/** A flush that has joined a drain, which is reading the outbox until `goOn` is called. */
function flushDuringDrain(given: Parameters<typeof setUpRelay>[0] = {}) {
  const all = setUpRelay(given);
  const goOn = holdDrain(all);
  all.relay.kick();
  return { ...all, flush: all.relay.flush(), goOn };
}

describe("A flush", () => {
  it("ends after timeoutMs while another tab drains the outbox, and the drain goes on", async () => {
    const turn = deferred<void>();
    const { clock, relay, waiting, attempts } = setUpRelay({
      drainOutbox: async (publish, { onTurn }) => {
        await turn.promise;
        onTurn?.();
        const keys = waiting.splice(0);
        await publish(
          keys.map((key) => messageTo(key)),
          Infinity,
        );
        return { published: keys.length, failed: false, isComplete: true };
      },
    });
    waiting.push("a");
    const [first, joined] = [relay.flush(), relay.flush()];
    await clock.advance(2_000);
    expect(await Promise.all([first, joined])).toEqual([
      { published: 0, failed: true },
      { published: 0, failed: true },
    ]);
    expect(attempts()).toEqual([]);
    turn.resolve();
    expect(await relay.flush()).toEqual({ published: 1, failed: false });
    expect(attempts()[0]).toEqual(["a"]);
  });

  it("makes an attempt of its own after the drain that it has joined has failed", async () => {
    const { clock, waiting, attempts, setServer, drains, flush, goOn } = flushDuringDrain();
    waiting.push("a");
    setServer(false);
    await clock.advance(200);
    goOn();
    drains.mockImplementationOnce(async () => setServer(true));
    expect(await flush).toEqual({ published: 1, failed: false });
    expect(attempts()).toEqual([["a"], ["a"]]);
  });

  it("makes an attempt though the attempt of a lone write fails while it reads the outbox", async () => {
    const all = setUpRelay();
    const { clock, relay, reachability, waiting, attempts } = all;
    const goOn = holdDrain(all);
    waiting.push("a");
    const flush = relay.flush();
    await clock.advance(0);
    reachability.unreachable(LOST);
    goOn();
    expect(await flush).toEqual({ published: 1, failed: false });
    expect(attempts()).toEqual([["a"]]);
  });

  it("makes an attempt though the attempt of a lone write fails while the drain that it has joined reads the outbox", async () => {
    const { clock, reachability, waiting, attempts, flush, goOn } = flushDuringDrain();
    waiting.push("a");
    await clock.advance(0);
    reachability.unreachable(LOST);
    goOn();
    expect(await flush).toEqual({ published: 1, failed: false });
    expect(attempts()).toEqual([["a"]]);
  });

  it("counts the writes that the failed drain before it has published", async () => {
    const { transport, waiting, flush, goOn, drains } = flushDuringDrain();
    waiting.push("a", "b", "c");
    const { publish } = transport;
    let calls = 0;
    transport.publish = (messages) => {
      transport.failure = ++calls === 2 ? { kind: "broken", error: LOST } : undefined;
      return publish.call(transport, messages);
    };
    goOn();
    expect(await flush).toEqual({ published: 3, failed: false });
    expect(drains).toHaveBeenCalledTimes(2);
  });

  it("waits for two attempts no longer than the limit for one", async () => {
    const { clock, waiting, setServer, drains, flush, goOn } = flushDuringDrain();
    waiting.push("a");
    setServer(false);
    await clock.advance(1_500);
    drains.mockReturnValue(new Promise(() => undefined));
    goOn();
    await clock.advance(0);
    await clock.advance(500);
    expect(await flush).toEqual({ published: 0, failed: true });
  });
});

describe("With an empty outbox, a relay that has reported `offline`", () => {
  async function setUpOffline() {
    const all = setUpRelay();
    const { clock, relay, transport, waiting, setServer } = all;
    setServer(false);
    waiting.push("a");
    await relay.drain();
    // Another tab publishes it.
    waiting.pop();
    transport.batches.length = 0;
    await clock.advance(0);
    return all;
  }

  it.each<[when: string, act: (relay: Relay) => unknown]>([
    ["the page wakes", (relay) => relay.wake()],
    ["it is flushed", (relay) => relay.flush()],
  ])("pings the server at once when %s, and reports `online`", async (_, act) => {
    const { clock, relay, attempts, setServer, onOnline } = await setUpOffline();
    setServer(true);
    act(relay);
    await clock.advance(0);
    expect(attempts()).toEqual([[]]);
    await clock.advance(0);
    expect(onOnline.mock.calls).toEqual([[0]]);
    relay.wake();
    await clock.advance(0);
    expect(attempts()).toEqual([[]]);
  });

  it("pings the server once after another tab has reached it, when the next attempt is due", async () => {
    const { clock, relay, attempts, setServer, onOnline } = await setUpOffline();
    relay.reachedElsewhere();
    relay.reachedElsewhere();
    await clock.advance(0);
    expect(attempts()).toEqual([]);
    await clock.advance(1_000);
    expect(attempts()).toEqual([[]]);
    await clock.advance(60_000);
    expect(attempts()).toEqual([[]]);

    setServer(true);
    relay.reachedElsewhere();
    await clock.advance(60_000);
    expect(attempts()).toEqual([[], []]);
    expect(onOnline).toHaveBeenCalledTimes(1);
    relay.reachedElsewhere();
    await clock.advance(60_000);
    expect(attempts()).toEqual([[], []]);
  });

  it("pings the server when another operation has opened a connection", async () => {
    const { clock, reachability, attempts, setServer, onOnline } = await setUpOffline();
    setServer(true);
    reachability.connected();
    await clock.advance(0);
    expect(attempts()).toEqual([[]]);
    await clock.advance(0);
    expect(onOnline).toHaveBeenCalledTimes(1);
  });

  it("does not ping the server when the connection that another operation has opened fails at once", async () => {
    const all = await setUpOffline();
    const { clock, reachability, attempts, setServer } = all;
    const goOn = holdDrain(all);
    setServer(true);
    reachability.connected();
    await clock.advance(0);
    reachability.broken(LOST);
    goOn();
    await clock.advance(0);
    expect(attempts()).toEqual([]);
  });

  it("does not ping the server by itself", async () => {
    const { clock, attempts } = await setUpOffline();
    await clock.advance(200_000);
    expect(attempts()).toEqual([]);
  });
});
