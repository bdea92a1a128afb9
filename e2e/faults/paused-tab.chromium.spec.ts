import { expect, test } from "../support/faults.ts";
import { openStoreIn } from "../support/fixtures.ts";
import { flushAll } from "../support/flush-all.ts";

// Only Chromium lets a test pause a tab.
test("a tab that is paused in the middle of a drain sends nothing when it resumes, since another tab has taken over", async ({
  page: other,
  openPage,
  context,
  nats,
  wire,
  namespace,
  startFaultServer,
  consoleGuard,
}) => {
  consoleGuard.allowFailedSockets();
  const server = await startFaultServer(nats);
  server.fault = { at: "accept", how: "hang-up" };
  const paused = await openPage();
  // Longer than the takeover: the attempt to connect must not end before.
  await openStoreIn(paused, { servers: server.wsUrl, namespace, timeoutMs: 120_000 });
  expect(await paused.evaluate(() => store.store("k", "old"))).toBe(false);

  server.fault = { at: "accept", how: "silence" };
  const faults = server.faults;
  await paused.evaluate(() => void store.flush());
  await server.faulted(faults);
  const devtools = await context.newCDPSession(paused);
  await devtools.send("Debugger.enable");
  const pausing = new Promise((resolve) => devtools.once("Debugger.paused", resolve));
  await devtools.send("Debugger.pause");
  void devtools.send("Runtime.evaluate", { expression: "0" }).catch(() => undefined);
  await pausing;

  await openStoreIn(other, { servers: nats.wsUrl, namespace });
  expect(await other.evaluate(() => store.store("k", "new"))).toBe(false);
  await expect.poll(() => other.evaluate(() => store.pendingWrites()), { timeout: 60_000 }).toEqual([]);

  server.fault = undefined;
  await devtools.send("Debugger.resume");
  await devtools.send("Debugger.disable");
  await flushAll(paused);
  await wire.settled();
  expect(wire.messages.map(({ envelope }) => ({ key: envelope?.key, version: envelope?.metadata?.version }))).toEqual([
    { key: "k", version: 2 },
  ]);
});
