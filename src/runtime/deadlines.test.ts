import { describe, expect, it } from "vitest";
import type { NASKeyStore } from "../key-store.ts";
import { usePage } from "../testing/stores.ts";

const TIMEOUT_MS = 2_000;
const page = usePage();

const calls: Record<string, { call: (store: NASKeyStore) => Promise<unknown>; queued: unknown }> = {
  store: { call: (store) => store.store("k", 1), queued: false },
  update: { call: (store) => store.update("k", 1), queued: false },
  delete: { call: (store) => store.delete("k"), queued: false },
  bulkStore: {
    call: (store) => store.bulkStore({ k: 1, l: 2 }),
    queued: new Map([
      ["k", false],
      ["l", false],
    ]),
  },
  ping: { call: (store) => store.ping(), queued: false },
  "store and close": { call: (store) => Promise.all([store.store("k", 1), store.close()]).then(([stored]) => stored), queued: false },
};

/** How the server falls silent; `waits` tells how many waits for an answer have begun. */
const servers: Record<string, { fallSilent: () => void; waits: () => number }> = {
  "does not answer the attempt to connect": { fallSilent: () => void (page.nats.dialling = "hangs"), waits: () => page.nats.dials },
  "reads everything and answers nothing": { fallSilent: () => page.nats.hold(), waits: () => page.nats.flushes },
};

describe.each(Object.entries(calls))("%s", (_, { call, queued }) => {
  it.each(Object.entries(servers))("settles at timeoutMs where the server %s", async (_, { fallSilent, waits }) => {
    fallSilent();
    const before = waits();
    const store = page.open({ timeoutMs: TIMEOUT_MS });
    let outcome: unknown = "under way";
    const settled = call(store).then((result) => (outcome = result));
    await page.nats.when(() => waits() > before);
    await page.clock.advance(TIMEOUT_MS - 1);
    expect(outcome).toBe("under way");
    await page.clock.advance(1);
    expect(await settled).toEqual(queued);
  });

  it("settles before any time has passed when the server refuses the connection", async () => {
    page.nats.dialling = "refuses";
    const store = page.open({ timeoutMs: TIMEOUT_MS });
    expect(await call(store)).toEqual(queued);
  });

  it("settles before any time has passed when the connection is lost", async () => {
    page.nats.hold();
    const before = page.nats.flushes;
    const store = page.open({ timeoutMs: TIMEOUT_MS });
    const settled = call(store);
    await page.nats.when(() => page.nats.flushes > before);
    page.nats.cut();
    expect(await settled).toEqual(queued);
  });
});
