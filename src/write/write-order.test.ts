import { describe, expect, it } from "vitest";
import { WriteOrder, type Place } from "./write-order.ts";

/** Which of a place's promises have resolved. */
async function stateOf({ turn, clear }: Place): Promise<string> {
  const state = { turn: false, clear: false };
  void turn.then(() => (state.turn = true));
  void clear.then(() => (state.clear = true));
  await new Promise(setImmediate);
  return Object.entries(state)
    .filter(([, done]) => done)
    .map(([name]) => name)
    .join(" ");
}

describe("the writes of a key", () => {
  it("have their turn when the one before was handed over, and are clear when it is committed", async () => {
    const order = new WriteOrder();
    const first = order.enter(["a"]);
    const second = order.enter(["a"]);
    expect(await stateOf(first)).toBe("turn clear");
    expect(await stateOf(second)).toBe("");
    first.handedOver();
    expect(await stateOf(second)).toBe("turn");
    first.leave();
    expect(await stateOf(second)).toBe("turn clear");
  });

  it("go on after one that failed without being handed over", async () => {
    const order = new WriteOrder();
    const first = order.enter(["a"]);
    const second = order.enter(["a"]);
    first.leave();
    expect(await stateOf(second)).toBe("turn clear");
  });

  it("wait for all of several keys", async () => {
    const order = new WriteOrder();
    const a = order.enter(["a"]);
    const b = order.enter(["b"]);
    const both = order.enter(["a", "b", "c"]);
    const after = order.enter(["c"]);
    a.leave();
    expect(await stateOf(both)).toBe("");
    b.leave();
    expect(await stateOf(both)).toBe("turn clear");
    expect(await stateOf(after)).toBe("");
    both.leave();
    expect(await stateOf(after)).toBe("turn clear");
  });

  it("do not wait for other keys, nor for what has left", async () => {
    const order = new WriteOrder();
    order.enter(["a"]);
    expect(await stateOf(order.enter(["b"]))).toBe("turn clear");
    order.enter(["c"]).leave();
    expect(await stateOf(order.enter(["c"]))).toBe("turn clear");
  });

  it("wait for the last one only, in a chain", async () => {
    const order = new WriteOrder();
    const [first, second, third] = [order.enter(["a"]), order.enter(["a"]), order.enter(["a"])];
    first.leave();
    expect(await stateOf(third)).toBe("");
    second.leave();
    expect(await stateOf(third)).toBe("turn clear");
  });
});
