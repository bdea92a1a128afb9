import { expect, it, vi } from "vitest";
import { caught } from "../testing/errors.ts";
import { deferred } from "../testing/fake-connection.ts";
import { Operations } from "./operations.ts";

it("close waits for running operations, and closes once, even if it is called more often", async () => {
  const operations = new Operations();
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
  const operations = new Operations();
  await operations.close(async () => undefined);
  const work = vi.fn<() => Promise<void>>();
  expect(await caught(() => operations.run(work, "k"))).toMatchObject({ code: "CLOSED", key: "k" });
  expect(work).not.toHaveBeenCalled();
});
