import { once } from "node:events";
import { byForm } from "../support/fault-run.ts";
import { expect, test } from "../support/faults.ts";
import { LOAD_KEYS, LoadLedger, runLoad, type Acknowledgement } from "../support/load.ts";
import type { Wire, WireMessage } from "../support/wire.ts";

const KILLS = byForm(5, 20);
const AT_ONCE = 8;

/*
 * `true` means that the server has read the message, and no more. So a subscriber of the same server checks it, not JetStream: a server that is
 * killed between its PONG and the write of its stream has read a message that its stream lacks. A subscription ends with its server, so
 * each start of the server gets a new wire, and the link stays cut until that wire listens. The kernel delivers everything that the server wrote
 * before the kill, so the wires together have every message.
 */
test(`no write is lost and every call settles when the server is killed ${KILLS} times under load`, async ({
  page,
  namespace,
  random,
  startNats,
  openLink,
  openWire,
  consoleGuard,
}) => {
  consoleGuard.allowFailedSockets();
  const server = await startNats();
  const link = await openLink(server);
  const wires: Wire[] = [await openWire(server)];
  const received = (): WireMessage[] => wires.flatMap(({ messages }) => messages);
  const ledger = new LoadLedger(AT_ONCE);
  const seed = `seed ${random.seed}`;
  const stepRandom = random.fork();
  const ends = new EventTarget();
  await page.exposeFunction("nextSteps", () => ledger.nextSteps(stepRandom));
  await page.exposeFunction("acknowledged", (end: Acknowledgement) => {
    ledger.acknowledge(end);
    ends.dispatchEvent(new Event("end"));
  });
  const callsEnd = async (count: number): Promise<void> => {
    for (let left = count; left > 0; left--) await once(ends, "end");
  };

  await page.evaluate(([servers, namespace]) => void (globalThis.store = new keystore.NASKeyStore({ servers, namespace })), [
    link.wsUrl,
    namespace,
  ] as const);
  const load = page.evaluate(runLoad, AT_ONCE);

  for (let kill = 0; kill < KILLS; kill++) {
    // A random moment of the load.
    const wire = wires.at(-1)!;
    await wire.waitFor(wire.messages.length + random.int(1, 40));
    await server.kill();
    await link.cut();
    // Running calls and new calls settle while the server is down.
    await callsEnd(random.int(1, 3 * AT_ONCE));
    await server.restart();
    wires.push(await openWire(server));
    await link.mend();
  }

  await page.evaluate(() => void (stopLoad = true));
  await load;
  expect(ledger.errors, `${seed}: calls that failed`).toEqual([]);

  // The store publishes them in the background.
  await expect
    .poll(() => page.evaluate(async () => (await store.getStorageStats()).pendingWrites), { message: `${seed}: pending` })
    .toBe(0);
  await wires.at(-1)!.settled();
  expect(ledger.unread(received()), `${seed}: acknowledged as read, but never read`).toEqual([]);

  const entries = await page.evaluate(
    (keys) => Promise.all(keys.map(async (key) => [key, await store.retrieve<{ n: number }>(key, { useCache: false })] as const)),
    LOAD_KEYS,
  );
  for (const [key, value] of entries) {
    expect(ledger.lossOf(key, value), seed).toBeUndefined();
    const last = received().findLast(({ envelope }) => envelope?.key === key)?.envelope;
    expect(last?.operation === "store" ? last.value : undefined, `${seed}: last message of ${key}`).toBe(value && JSON.stringify(value));
  }
  test
    .info()
    .annotations.push({ type: "acknowledged", description: `${ledger.acknowledgements}, ${ledger.confirmed().length} of them true` });
});

test("a lost connection counts as one failure for all of its calls, so that the next attempt comes after one backoff step", async ({
  page,
  namespace,
  nats,
  wire,
  openLink,
  consoleGuard,
}) => {
  consoleGuard.allowFailedSockets();
  const link = await openLink(nats);
  await page.evaluate(
    ([servers, namespace]) => {
      // Makes the first backoff step five seconds, and each one after the fifth five minutes.
      Math.random = () => 5;
      globalThis.store = new keystore.NASKeyStore({ servers, namespace, timeoutMs: aids.LONG_MS, lingerMs: aids.LONG_MS });
      return store.ping();
    },
    [link.wsUrl, namespace] as const,
  );
  link.hang();
  await page.evaluate(async () => {
    // Each store is committed before the next one begins, so that each is published alone.
    const keys = Array.from({ length: 10 }, (_, index) => `key-${index}`);
    globalThis.underWay = Promise.resolve([]);
    for (const key of keys) {
      const call = store.store(key, 1);
      globalThis.underWay = globalThis.underWay.then(async (results) => [...results, await call]);
      while (!(await store.exists(key))) continue;
    }
  });
  await link.cut();
  await link.mend();
  expect(await page.evaluate(() => underWay)).toEqual(Array.from({ length: 10 }, () => false));
  await wire.waitFor(10);
});
