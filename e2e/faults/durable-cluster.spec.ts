import type { Browser, Page } from "@playwright/test";
import { connect, nanos, type JetStreamManager } from "nats";
import { once } from "node:events";
import type { NatsCluster } from "../../scripts/lib/nats-cluster.mjs";
import type { ConsoleGuard } from "../support/console-guard.ts";
import { LONG_MS, withDeadline } from "../support/deadline.ts";
import { byForm } from "../support/fault-run.ts";
import { expect, test, visit } from "../support/faults.ts";
import { LOAD_KEYS, LoadLedger, runLoad, type Acknowledgement } from "../support/load.ts";
import { natsServers } from "../support/nats-servers.ts";
import { installObserver } from "../support/observer.ts";
import type { PageServer } from "../support/page-server.ts";
import { readStream } from "../support/stream.ts";

const KILLS = byForm(2, 10);
const AT_ONCE = 4;
const STREAM = "LOAD";
/** An election takes up to ten seconds, and longer on a slow machine. */
const ELECTION_MS = 120_000;
/** A write that is published again is a duplicate, however late it comes on a slow machine. */
const WINDOW = nanos(3_600_000);
/** So many stores run at the same time in lame-duck mode. */
const CHAINS = 4;

for (const { title, program } of natsServers) {
  test.describe(title, () => {
    test.beforeEach(({ consoleGuard }) => consoleGuard.allowFailedSockets());

    test(`every acknowledged write of three browsers is in the stream when its leader is killed ${KILLS} times under load`, async ({
      browser,
      site,
      namespace,
      random,
      startCluster,
      consoleGuard,
    }) => {
      const cluster = await startCluster(program);
      // The stream keeps every message, so that each acknowledged write can be found.
      const namespaces = [1, 2, 3].map((n) => `${namespace}-${n}`);
      await createStream(cluster, namespaces, 3);
      const browsers = await Promise.all(namespaces.map((own) => openBrowser(browser, site, consoleGuard, own)));
      for (const { page, ledger, namespace: own } of browsers) {
        const steps = random.fork();
        await page.exposeFunction("nextSteps", () => ledger.nextSteps(steps));
        await openDurableStore(page, own, urlsOf(cluster));
      }
      const loads = browsers.map(({ page }) => page.evaluate(runLoad, AT_ONCE));
      const eachSettles = (least: number, most: number): Promise<unknown> =>
        Promise.all(browsers.map(({ settle }) => settle(random.int(least, most))));

      for (let kill = 0; kill < KILLS; kill++) {
        // A random moment of the load.
        await eachSettles(20, 60);
        const leader = await cluster.leaderOf(STREAM);
        await leader.kill();
        await cluster.leaderOf(STREAM);
        await eachSettles(1, 3 * AT_ONCE);
        await leader.start();
      }
      await eachSettles(20, 60);
      for (const { page } of browsers) await page.evaluate(() => void (stopLoad = true));
      await withDeadline(Promise.all(loads), () => `Calls did not settle\n${cluster.log()}`, ELECTION_MS);

      for (const { page } of browsers) await publishAll(page);
      const stored = await withStreams(cluster, (manager) => readStream(manager, STREAM));
      for (const { page, ledger, namespace: own } of browsers) {
        const seed = `seed ${random.seed}, ${own}`;
        expect(ledger.errors, `${seed}: calls that failed`).toEqual([]);
        expect(ledger.confirmed().length, `${seed}: acknowledged calls`).toBeGreaterThan(0);
        const messages = stored.filter(({ subject }) => subject.startsWith(`_kv.${own}.`));
        expect(ledger.unread(messages), `${seed}: acknowledged, but not in the stream`).toEqual([]);
        const ids = messages.map(({ headers }) => headers["Nats-Msg-Id"]);
        expect(new Set(ids).size, `${seed}: messages that the stream has once`).toBe(ids.length);

        const entries = await page.evaluate(
          (keys) => Promise.all(keys.map(async (key) => [key, await store.retrieve<{ n: number }>(key)] as const)),
          LOAD_KEYS,
        );
        for (const [key, value] of entries) {
          expect(ledger.lossOf(key, value), seed).toBeUndefined();
          const last = messages.findLast(({ envelope }) => envelope?.key === key)?.envelope;
          expect(last?.operation === "store" ? last.value : undefined, `${seed}: last message of ${key}`).toBe(
            value && JSON.stringify(value),
          );
        }
        const description = `${ledger.acknowledgements}, ${ledger.confirmed().length} of them true, ${messages.length} messages`;
        test.info().annotations.push({ type: "acknowledged", description });
      }
    });

    for (const role of ["the leader of the stream", "another server"] as const) {
      test(`no write fails when ${role} goes into lame-duck mode under load`, async ({
        browser,
        site,
        namespace,
        random,
        startCluster,
        consoleGuard,
      }) => {
        const cluster = await startCluster(program);
        await createStream(cluster, [namespace], 3);
        const leader = await cluster.leaderOf(STREAM);
        const isLeader = role === "the leader of the stream";
        const leaving = isLeader ? leader : random.pick(cluster.servers.filter((server) => server !== leader));
        const { page, settle, results } = await openBrowser(browser, site, consoleGuard, namespace);
        // A leader that leaves may not answer the last messages. Those writes wait for another attempt.
        await openDurableStore(page, namespace, [leaving.wsUrl, ...urlsOf(cluster)], isLeader ? undefined : LONG_MS);
        const load = page.evaluate(storeUntilStopped, CHAINS);
        await settle(10);
        leaving.lameDuck();
        await withDeadline(
          leaving.ended().then(() => settle(10 * CHAINS)),
          () => `The server does not end:\n${leaving.log()}`,
          ELECTION_MS,
        );
        await page.evaluate(() => void (stopLoad = true));
        await load;
        expect(results.filter(({ result, error }) => error !== undefined || !(result || isLeader))).toEqual([]);
        await publishAll(page);
        const stored = await withStreams(cluster, (manager) => readStream(manager, STREAM));
        expect(stored).toHaveLength(results.length);
        test
          .info()
          .annotations.push({ type: "acknowledged", description: `${results.filter(({ result }) => result).length} of ${results.length}` });
      });
    }

    test("writes are confirmed through the third server when two of three are down and another one accepts and never answers", async ({
      browser,
      site,
      namespace,
      startCluster,
      startFaultServer,
      consoleGuard,
      nats,
    }) => {
      const silent = await startFaultServer(nats);
      silent.fault = { at: "accept", how: "silence" };
      const cluster = await startCluster(program);
      // Without most of its servers, a cluster still serves the streams that have their only replica on a server that runs.
      await createStream(cluster, [namespace], 1);
      const leader = await cluster.leaderOf(STREAM);
      const others = cluster.servers.filter((server) => server !== leader);
      await Promise.all(others.map((server) => server.kill()));
      const { page } = await openBrowser(browser, site, consoleGuard, namespace);
      await openDurableStore(page, namespace, [silent.wsUrl, ...others.map(({ wsUrl }) => wsUrl), leader.wsUrl], LONG_MS);
      expect(await page.evaluate(() => Promise.all(["a", "b", "c"].map((key) => store.store(key, 1))))).toEqual([true, true, true]);

      await Promise.all(others.map((server) => server.start()));
      const stored = await withStreams(cluster, (manager) => readStream(manager, STREAM));
      expect(stored.map(({ envelope }) => envelope?.key)).toEqual(["a", "b", "c"]);
    });
  });
}

interface LoadedBrowser {
  readonly namespace: string;
  readonly page: Page;
  readonly ledger: LoadLedger;
  readonly results: Acknowledgement[];
  /** Resolves when so many more calls have settled. */
  settle(count: number): Promise<void>;
}

/** A page in a context of its own, which has its own databases. */
async function openBrowser(browser: Browser, site: PageServer, guard: ConsoleGuard, namespace: string): Promise<LoadedBrowser> {
  const context = await browser.newContext();
  guard.watch(context);
  await context.addInitScript(installObserver);
  const page = await visit(await context.newPage(), site.url);
  const ledger = new LoadLedger(AT_ONCE);
  const results: Acknowledgement[] = [];
  const ends = new EventTarget();
  await page.exposeFunction("acknowledged", (end: Acknowledgement) => {
    ledger.acknowledge(end);
    results.push(end);
    ends.dispatchEvent(new Event("end"));
  });
  const settle = async (count: number): Promise<void> => {
    for (let left = count; left > 0; left--) await once(ends, "end");
  };
  return { namespace, page, ledger, results, settle };
}

/** Makes the page's `store`, in durable mode. The default of `timeoutMs` is shorter than an election. */
async function openDurableStore(page: Page, namespace: string, servers: readonly string[], timeoutMs = 2_000): Promise<void> {
  await page.evaluate((options) => aids.openStore(options), { namespace, servers, timeoutMs, durable: { stream: STREAM } });
}

/** In the page: chains of stores, each with its result. */
async function storeUntilStopped(chains: number): Promise<void> {
  globalThis.stopLoad = false;
  let begun = 0;
  const chain = async (): Promise<void> => {
    while (!stopLoad) {
      const n = ++begun;
      const { value = false, ...rest } = await observer.outcome(() => store.store(`key-${n}`, { n }));
      await acknowledged({ n, result: value, ...rest });
    }
  };
  await Promise.all(Array.from({ length: chains }, chain));
}

/** Resolves when the page's store has no unconfirmed write. */
async function publishAll(page: Page): Promise<void> {
  await expect
    .poll(() => page.evaluate(async () => (await store.flush(), (await store.pendingWrites()).length)), { timeout: ELECTION_MS })
    .toBe(0);
}

function urlsOf(cluster: NatsCluster): string[] {
  return cluster.servers.map(({ wsUrl }) => wsUrl);
}

async function createStream(cluster: NatsCluster, namespaces: readonly string[], replicas: number): Promise<void> {
  const subjects = namespaces.map((namespace) => `_kv.${namespace}.key.>`);
  // Until every server has found the others, the cluster has no place for the replicas.
  await expect(() =>
    withStreams(cluster, ({ streams }) => streams.add({ name: STREAM, subjects, num_replicas: replicas, duplicate_window: WINDOW })),
  ).toPass({
    timeout: ELECTION_MS,
  });
}

async function withStreams<T>(cluster: NatsCluster, work: (manager: JetStreamManager) => Promise<T>): Promise<T> {
  const running = cluster.servers.filter(({ isRunning }) => isRunning);
  const connection = await connect({ servers: running.map(({ tcpUrl }) => tcpUrl) });
  try {
    return await work(await connection.jetstreamManager({ timeout: LONG_MS }));
  } finally {
    await connection.close();
  }
}
