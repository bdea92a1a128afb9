import { expect, it, vi } from "vitest";
import type { PublicChange } from "../model/events.ts";
import { ChangeIterator } from "./change-iterator.ts";

const change = (version: number): PublicChange => ({ key: "k", type: "store", source: "local", version });
const DONE = { value: undefined, done: true };

async function versions(changes: ChangeIterator): Promise<unknown[]> {
  const list: unknown[] = [];
  for await (const { type, version } of changes) list.push(version ?? type);
  return list;
}

it("The changes arrive one after another, whether they wait for the consumer or it waits for them", async () => {
  const changes = new ChangeIterator("*");
  changes.push(change(1));
  changes.push(change(2));
  expect(await changes.next()).toEqual({ value: change(1), done: false });
  const all = [changes.next(), changes.next(), changes.next()];
  changes.push(change(3));
  changes.push(change(4));
  expect(await Promise.all(all)).toEqual([2, 3, 4].map((version) => ({ value: change(version), done: false })));
});

it("1,000 changes wait; one more, and a `clear` replaces them", async () => {
  const changes = new ChangeIterator("user:*");
  for (let version = 1; version <= 1_000; version++) changes.push(change(version));
  expect((await changes.next()).value).toEqual(change(1));
  changes.push(change(1_001));
  changes.push(change(1_002));
  changes.push(change(1_003));
  const { value } = await changes.next();
  expect(value).toEqual({ key: "user:*", type: "clear", source: "local" });
  expect(Object.isFrozen(value)).toBe(true);
  expect((await changes.next()).value).toEqual(change(1_003));
});

it("A `clear` replaces the changes that wait before it", async () => {
  const changes = new ChangeIterator("*");
  changes.push(change(1));
  changes.push({ key: "*", type: "clear", source: "tab" });
  changes.push(change(2));
  const first = await changes.next();
  expect([first, await changes.next()]).toMatchObject([{ value: { type: "clear" } }, { value: { version: 2 } }]);
});

it("When the watch ends, the loop ends, and so does every call of next that waits", async () => {
  const changes = new ChangeIterator("*");
  const looping = versions(changes);
  const next = changes.next();
  changes.push(change(1));
  changes.finish();
  expect(await looping).toEqual([1]);
  expect(await next).toEqual(DONE);
  changes.push(change(2));
  expect(await changes.next()).toEqual(DONE);
});

it("A loop that is left ends the watch", async () => {
  const changes = new ChangeIterator("*");
  const end = vi.fn<() => void>(changes.finish);
  changes.end = end;
  changes.push(change(1));
  changes.push(change(2));
  for await (const { version } of changes) {
    expect(version).toBe(1);
    break;
  }
  expect(end).toHaveBeenCalledTimes(1);
  expect(await changes.next()).toEqual(DONE);
});

it("Without storage the calls of `next` reject, the watch ends, and later calls are done", async () => {
  const checkStorage = vi.fn<() => Promise<unknown>>(() => Promise.reject(new Error("no storage")));
  const changes = new ChangeIterator("*", checkStorage);
  expect(checkStorage).not.toHaveBeenCalled();
  const calls = await Promise.allSettled([changes.next(), changes.next()]);
  expect(calls.map((call) => call.status === "rejected" && String(call.reason))).toEqual(["Error: no storage", "Error: no storage"]);
  expect(await changes.next()).toEqual(DONE);
  expect(checkStorage).toHaveBeenCalledTimes(1);
});
