import { afterEach, expect, it, vi } from "vitest";
import { FakeStream } from "../testing/fake-stream.ts";
import { usePage } from "../testing/stores.ts";
import { KeyStoreError } from "../util/errors.ts";
import { durablePart } from "./durable-part.ts";

const page = usePage();

afterEach(() => {
  vi.restoreAllMocks();
});

it("retrieve and bulkRetrieve with pull read this browser while the part of durable mode cannot be loaded", async () => {
  const plain = page.open();
  await plain.store("k", 1);
  await plain.close();
  const store = page.open({ durable: { pullEveryMs: 60_000 } });
  const load = vi.spyOn(durablePart, "load").mockRejectedValue(new KeyStoreError("STORAGE_UNAVAILABLE", "could not be loaded"));
  expect(await store.retrieve("k", { pull: "always" })).toBe(1);
  expect(await store.retrieve("absent", { pull: "missing" })).toBeUndefined();
  expect([...(await store.bulkRetrieve(["k", "absent"], { pull: "missing" }))]).toEqual([["k", 1]]);
  expect(load).toHaveBeenCalled();
});

it("A store without `pullEveryMs` does not ask for the lock of the tab that pulls, and one that is closed has given it back", async () => {
  const store = page.open({ durable: true });
  await store.retrieve("k");
  const pulling = page.open({ durable: { pullEveryMs: 60_000 } });
  await page.locks.granted("nas-keystore/test/pull");
  await store.close();
  expect((await page.locks.query()).held?.map(({ name }) => name)).toContain("nas-keystore/test/pull");
  page.nats.dialling = "refuses";
  await pulling.close();
  await page.locks.free("nas-keystore/test/pull");
});

it.each([
  {},
  { message: null },
  { message: { subject: "_kv.test.key.k", seq: "x", data: "e30=" } },
  { message: { subject: 7, seq: 1 } },
  { message: { subject: "_kv.test.key.k", seq: 9, data: 1, hdrs: 2 } },
  { error: { code: "?" } },
])("retrieve with pull reads this browser where the answer is garbage: %j", async (answer) => {
  page.nats.stream = new FakeStream();
  const store = page.open({ durable: true });
  await store.store("k", 1);
  page.nats.stream.api = (subject) => (subject.startsWith("$JS.API.STREAM.MSG.GET.") ? answer : undefined);
  expect(await store.retrieve("k", { pull: "always" })).toBe(1);
});
