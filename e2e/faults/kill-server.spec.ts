import { once } from "node:events";
import { byForm } from "../support/fault-run.ts";
import { expect, test } from "../support/faults.ts";
import { LOAD_KEYS, LoadLedger, runLoad, type Acknowledgement } from "../support/load.ts";
import type { Wire, WireMessage } from "../support/wire.ts";

const KILLS = byForm(5, 20);
const AT_ONCE = 8;

/*
 * What `true` promises is that the server has read the message, no more: a subscriber of that very server is the witness.
 * Not JetStream: a server that is killed between its PONG and its stream's write has read what its stream lacks. A wire
 * dies with its server, so each start has a new one, and nobody gets to the server before that listens: the link is cut
 * until then. The kernel delivers what the server had written before it was killed, so the union of the wires is all.
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
  const heard = (): WireMessage[] => wires.flatMap(({ messages }) => messages);
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
    // Somewhere in the middle of the load.
    const wire = wires.at(-1)!;
    await wire.waitFor(wire.messages.length + random.int(1, 40));
    await server.kill();
    await link.cut();
    // Calls that were under way end while it is down, and calls that began after the kill.
    await callsEnd(random.int(1, 3 * AT_ONCE));
    await server.restart();
    wires.push(await openWire(server));
    await link.mend();
  }

  await page.evaluate(() => void (stopLoad = true));
  await load;
  expect(ledger.errors, `${seed}: calls that failed`).toEqual([]);

  // By itself, in the background.
  await expect
    .poll(() => page.evaluate(async () => (await store.getStorageStats()).pendingWrites), { message: `${seed}: pending` })
    .toBe(0);
  await wires.at(-1)!.settled();
  expect(ledger.unread(heard()), `${seed}: acknowledged as read, but never read`).toEqual([]);

  const held = await page.evaluate(
    (keys) => Promise.all(keys.map(async (key) => [key, await store.retrieve<{ n: number }>(key, { useCache: false })] as const)),
    LOAD_KEYS,
  );
  for (const [key, value] of held) {
    expect(ledger.objection(key, value), seed).toBeUndefined();
    const last = heard().findLast(({ envelope }) => envelope?.key === key)?.envelope;
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
      // The first step is of five seconds then, and those after the fifth are of five minutes.
      Math.random = () => 5;
      globalThis.store = new keystore.NASKeyStore({ servers, namespace, timeoutMs: aids.LONG_MS, lingerMs: aids.LONG_MS });
      return store.ping();
    },
    [link.wsUrl, namespace] as const,
  );
  link.hang();
  await page.evaluate(async () => {
    // One after another, so that each is published by itself.
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
