import { describe, expect, it } from "vitest";
import { FakeClock } from "../testing/fake-clock.ts";
import { KeyQueue, type Place } from "./key-queue.ts";

/** The promises of a place that have resolved. */
async function stateOf({ turn, earlierCommitted }: Place): Promise<string> {
  const state = { turn: false, earlierCommitted: false };
  void turn.then(() => (state.turn = true));
  void earlierCommitted.then(() => (state.earlierCommitted = true));
  await new FakeClock().advance(0);
  return Object.entries(state)
    .filter(([, done]) => done)
    .map(([name]) => name)
    .join(" ");
}

describe("The writes of a key", () => {
  it("have their turn when the write before was handed over, and `earlierCommitted` resolves when it is committed", async () => {
    const order = new KeyQueue();
    const first = order.enter(["a"]);
    const second = order.enter(["a"]);
    expect(await stateOf(first)).toBe("turn earlierCommitted");
    expect(await stateOf(second)).toBe("");
    first.handedOver();
    expect(await stateOf(second)).toBe("turn");
    first.leave();
    expect(await stateOf(second)).toBe("turn earlierCommitted");
  });

  it("go on after one that failed without being handed over", async () => {
    const order = new KeyQueue();
    const first = order.enter(["a"]);
    const second = order.enter(["a"]);
    first.leave();
    expect(await stateOf(second)).toBe("turn earlierCommitted");
  });

  it("wait for all of several keys", async () => {
    const order = new KeyQueue();
    const a = order.enter(["a"]);
    const b = order.enter(["b"]);
    const both = order.enter(["a", "b", "c"]);
    const after = order.enter(["c"]);
    a.leave();
    expect(await stateOf(both)).toBe("");
    b.leave();
    expect(await stateOf(both)).toBe("turn earlierCommitted");
    expect(await stateOf(after)).toBe("");
    both.leave();
    expect(await stateOf(after)).toBe("turn earlierCommitted");
  });

  it("do not wait for other keys, nor for writes that have left", async () => {
    const order = new KeyQueue();
    order.enter(["a"]);
    expect(await stateOf(order.enter(["b"]))).toBe("turn earlierCommitted");
    order.enter(["c"]).leave();
    expect(await stateOf(order.enter(["c"]))).toBe("turn earlierCommitted");
  });

  it("wait for the latest write only, which has waited for the others", async () => {
    const order = new KeyQueue();
    const [first, second, third] = [order.enter(["a"]), order.enter(["a"]), order.enter(["a"])];
    first.leave();
    expect(await stateOf(third)).toBe("");
    second.leave();
    expect(await stateOf(third)).toBe("turn earlierCommitted");
  });
});

it("A write waits for the latest write of its key, also when an earlier one has left since", async () => {
  for (const keys of [["a"], undefined]) {
    const order = new KeyQueue();
    const [first, second] = [order.enter(keys), order.enter(keys)];
    first.leave();
    await stateOf(first);
    const third = order.enter(["a"]);
    expect(await stateOf(third)).toBe("");
    second.leave();
    expect(await stateOf(third)).toBe("turn earlierCommitted");
  }
});

describe("A write of every key", () => {
  it("waits for the writes of single keys before it, and those after it wait for it", async () => {
    const order = new KeyQueue();
    const [a, b] = [order.enter(["a"]), order.enter(["b"])];
    const all = order.enter(undefined);
    const after = order.enter(["a", "c"]);
    const second = order.enter(undefined);
    a.leave();
    expect(await stateOf(all)).toBe("");
    b.leave();
    expect(await stateOf(all)).toBe("turn earlierCommitted");
    expect(await stateOf(after)).toBe("");
    all.leave();
    expect(await stateOf(after)).toBe("turn earlierCommitted");
    expect(await stateOf(second)).toBe("");
    after.leave();
    expect(await stateOf(second)).toBe("turn earlierCommitted");
    second.leave();
    expect(await stateOf(order.enter(["a"]))).toBe("turn earlierCommitted");
  });
});

describe("A write of every key that turns out to be a write of some", () => {
  it("lets later writes and reads of other keys go on, and those of its keys wait until it leaves", async () => {
    const order = new KeyQueue();
    const earlier = order.enter(["a"]);
    const some = order.enter(undefined);
    const [a, b, ab] = [order.enter(["a"]), order.enter(["b"]), order.enter(["a", "b"])];
    earlier.leave();
    expect([await stateOf(some), await stateOf(b)]).toEqual(["turn earlierCommitted", ""]);
    some.narrow(new Set(["a"]));
    expect([await stateOf(a), await stateOf(b), await stateOf(order.enter(["c"]))]).toEqual([
      "",
      "turn earlierCommitted",
      "turn earlierCommitted",
    ]);
    b.leave();
    some.handedOver();
    expect(await stateOf(a)).toBe("turn");
    some.leave();
    expect([await stateOf(a), await stateOf(ab)]).toEqual(["turn earlierCommitted", ""]);
  });
});

describe("A read", () => {
  /** Whether the writes of these keys are committed. */
  async function isCommitted(order: KeyQueue, keys?: readonly string[]): Promise<boolean> {
    let isDone = false;
    void order.committed(keys).then(() => (isDone = true));
    await new FakeClock().advance(0);
    return isDone;
  }

  it("waits for the writes of its keys, or of every key, to leave", async () => {
    const order = new KeyQueue();
    const a = order.enter(["a"]);
    expect(await isCommitted(order, ["b"])).toBe(true);
    expect([await isCommitted(order, ["a", "b"]), await isCommitted(order)]).toEqual([false, false]);
    a.leave();
    expect([await isCommitted(order, ["a", "b"]), await isCommitted(order)]).toEqual([true, true]);
    const all = order.enter(undefined);
    expect([await isCommitted(order, ["z"]), await isCommitted(order)]).toEqual([false, false]);
    all.leave();
    expect([await isCommitted(order, ["z"]), await isCommitted(order)]).toEqual([true, true]);
  });
});
