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
  openLink,
  consoleGuard,
}) => {
  consoleGuard.allowFailedSockets();
  const link = await openLink(nats);
  await link.cut();
  const paused = await openPage();
  // Longer than a takeover takes: the attempt to connect must not end before.
  await openStoreIn(paused, { servers: link.wsUrl, namespace, timeoutMs: 120_000 });
  expect(await paused.evaluate(() => store.store("k", "old"))).toBe(false);

  await link.mend();
  link.hang();
  await paused.evaluate(() => void store.flush());
  await expect
    .poll(() => paused.evaluate(async () => ((await navigator.locks.query()).held ?? []).map(({ name }) => name)))
    .toContain(`nas-keystore/${namespace}/drain`);
  const devtools = await context.newCDPSession(paused);
  await devtools.send("Debugger.enable");
  const pausing = new Promise((resolve) => devtools.once("Debugger.paused", resolve));
  await devtools.send("Debugger.pause");
  void devtools.send("Runtime.evaluate", { expression: "0" }).catch(() => undefined);
  await pausing;

  await openStoreIn(other, { servers: nats.wsUrl, namespace, timeoutMs: 2_000 });
  expect(await other.evaluate(() => store.store("k", "new"))).toBe(false);
  await expect.poll(() => other.evaluate(() => store.pendingWrites()), { timeout: 60_000 }).toEqual([]);

  // The connection opens now, for a message that has been superseded.
  await link.mend();
  await devtools.send("Debugger.resume");
  await devtools.send("Debugger.disable");
  await flushAll(paused);
  await wire.settled();
  expect(wire.messages.map(({ envelope }) => ({ key: envelope?.key, version: envelope?.metadata?.version }))).toEqual([
    { key: "k", version: 2 },
  ]);
});
