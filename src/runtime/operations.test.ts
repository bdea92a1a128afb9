import { expect, it, vi } from "vitest";
import { caught } from "../testing/errors.ts";
import { deferred } from "../testing/fake-connection.ts";
import { Operations } from "./operations.ts";

const neverLoads = (): Promise<never> => new Promise(() => undefined);

it("close waits for the operations under way, and ends once however often it is called", async () => {
  const operations = new Operations(neverLoads);
  const end = vi.fn<() => Promise<void>>().mockResolvedValue();
  const work = deferred<number>();
  const running = operations.run(() => work.promise);
  const closing = operations.close(end);
  expect(operations.close(end)).toBe(closing);
  expect(end).not.toHaveBeenCalled();
  work.resolve(1);
  await closing;
  expect(await running).toBe(1);
  expect(end).toHaveBeenCalledTimes(1);
});

it("An operation after close rejects CLOSED with its key, and does not run", async () => {
  const operations = new Operations(neverLoads);
  await operations.close(async () => undefined);
  const work = vi.fn<() => Promise<void>>();
  expect(await caught(() => operations.run(work, "k"))).toMatchObject({ code: "CLOSED", key: "k" });
  expect(work).not.toHaveBeenCalled();
});

it("A read waits for calls that write its keys, or every key, and for no others", async () => {
  const loading = [deferred<never>(), deferred<never>(), deferred<never>()];
  let calls = 0;
  const operations = new Operations(() => loading[calls++]!.promise);
  const mayRead = (): boolean[] => ["a", "b", "c"].map((key) => operations.mayRead(key));
  const writes = [operations.write(["a"], neverLoads), operations.write(["a", "b"], neverLoads), operations.write([undefined], neverLoads)];
  expect(mayRead()).toEqual([false, false, false]);
  const states: boolean[][] = [];
  for (const index of [2, 1, 0]) {
    loading[index]!.reject(new Error("not loaded"));
    await caught(() => writes[index]);
    states.push(mayRead());
  }
  expect(states).toEqual([
    [false, false, true],
    [false, true, true],
    [true, true, true],
  ]);
});

it("A read does not load the write side while no call writes its key", async () => {
  const operations = new Operations(neverLoads);
  void operations.write(["a"], neverLoads);
  expect(await operations.read("b", async () => "found")).toBe("found");
});

it("A read goes on when the write side cannot be loaded, so that the writes before it fail", async () => {
  const operations = new Operations(() => Promise.reject(new Error("not loaded")));
  const writing = caught(() => operations.write(["a"], neverLoads));
  expect(await operations.read("a", async () => "found")).toBe("found");
  await writing;
});
