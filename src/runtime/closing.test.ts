import { expect, it } from "vitest";
import { destroyNamespace } from "./destroy-namespace.ts";
import { codeOf } from "../testing/errors.ts";
import { newKey } from "../testing/keys.ts";
import { DATABASE, listen, NAMESPACE, usePage } from "../testing/stores.ts";

const page = usePage();

it("A closed store dispatches no event and opens no database, also for a write whose call has ended", async () => {
  page.nats.hold();
  const store = page.open({ timeoutMs: 300 });
  const events = listen(store);
  const leaving = new AbortController();
  const writing = store.store("k", 1, { signal: leaving.signal });
  await page.nats.received(1);
  leaving.abort();
  expect(await writing).toBe(false);
  const closing = store.close();
  await page.clock.advance(300);
  await closing;
  await destroyNamespace(NAMESPACE);
  const seen = events.length;
  await page.clock.advance(60_000);
  expect((await indexedDB.databases()).map(({ name }) => name)).not.toContain(DATABASE);
  expect(events).toHaveLength(seen);
});

it("close waits for a function that returns an encryption key at most timeoutMs: then writes and reads that need the key reject CLOSED", async () => {
  const key = await newKey();
  const writer = page.open({ encryption: { key } });
  await writer.store("k", 1);
  let askedForKey!: () => void;
  const asked = new Promise<void>((resolve) => (askedForKey = resolve));
  const never = new Promise<CryptoKey>(() => undefined);
  const store = page.open({ timeoutMs: 300, encryption: { key: () => (askedForKey(), never) } });
  const calls = [codeOf(() => store.store("k", 2)), codeOf(() => store.retrieve("k"))];
  await asked;
  const closing = store.close();
  await page.clock.advance(300);
  await closing;
  expect(await Promise.all(calls)).toEqual(["CLOSED", "CLOSED"]);
  expect(await writer.retrieve("k", { useCache: false })).toBe(1);
});

it("close waits for an encryption key that comes in time, and for the write that needs it", async () => {
  let answer!: (key: CryptoKey) => void;
  const key = new Promise<CryptoKey>((resolve) => (answer = resolve));
  const store = page.open({ timeoutMs: 300, encryption: { key: () => key } });
  const writing = store.store("k", 1);
  const closing = store.close();
  await page.clock.advance(299);
  answer(await newKey());
  expect(await writing).toBe(true);
  await closing;
});
