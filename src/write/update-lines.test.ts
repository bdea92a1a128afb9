import { expect, it } from "vitest";
import { UpdateLines } from "./update-lines.ts";

/** Whether a promise has resolved by now. */
async function isDone(promise: Promise<unknown>): Promise<boolean> {
  let done = false;
  void promise.then(() => (done = true));
  await new Promise((resolve) => setImmediate(resolve));
  return done;
}

it("An update waits for those of its key that were called before, and for no others", async () => {
  const lines = new UpdateLines();
  const [first, second, third] = [lines.join("k"), lines.join("k"), lines.join("k")];
  const other = lines.join("other");
  expect(await isDone(first.earlierLeft)).toBe(true);
  expect(await isDone(other.earlierLeft)).toBe(true);
  expect(await isDone(second.earlierLeft)).toBe(false);
  second.leave();
  expect(await isDone(third.earlierLeft)).toBe(false);
  first.leave();
  expect(await isDone(third.earlierLeft)).toBe(true);
});

it("An update that is called while a function of its key runs does not wait for it, nor for those that do", async () => {
  const lines = new UpdateLines();
  const running = lines.join("k");
  const behind = lines.join("k");
  let finish = (): void => undefined;
  const computing = running.compute(() => new Promise<void>((resolve) => (finish = resolve)));
  const [nested, next] = [lines.join("k"), lines.join("k")];
  expect(await isDone(nested.earlierLeft)).toBe(true);
  expect(await isDone(next.earlierLeft)).toBe(false);
  nested.leave();
  expect(await isDone(next.earlierLeft)).toBe(true);
  expect(await isDone(behind.earlierLeft)).toBe(false);
  finish();
  await computing;
  running.leave();
  expect(await isDone(behind.earlierLeft)).toBe(true);
});

it("An update of a key whose updates have ended waits for none", async () => {
  const lines = new UpdateLines();
  const only = lines.join("k");
  await expect(only.compute(() => Promise.reject(new Error("failed")))).rejects.toThrow("failed");
  only.leave();
  only.leave();
  expect(await isDone(lines.join("k").earlierLeft)).toBe(true);
});
