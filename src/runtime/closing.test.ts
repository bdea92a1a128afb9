import { expect, it } from "vitest";
import { destroyNamespace } from "./destroy-namespace.ts";
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
