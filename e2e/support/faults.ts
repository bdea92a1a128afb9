import type { NatsCluster } from "../../scripts/lib/nats-cluster.mjs";
import { startFaultServer, type FaultServer } from "./fault-server.ts";
import { openCutter, type Cutter } from "./cutter.ts";
import { givenSeed } from "./fault-run.ts";
import { expect, test as base, visit } from "./fixtures.ts";
import { startKillableBrowser, type KillableBrowser } from "./killable-browser.ts";
import { startNatsCluster } from "./nats-cluster.ts";
import type { NatsServer } from "./nats-server.ts";
import { seeded, type Random } from "./random.ts";
import { installObserver } from "./observer.ts";

export { expect, visit };

interface FaultFixtures {
  /** The test's random numbers. A test that fails prints their seed; FAULTS_SEED=<seed> repeats them. */
  random: Random;
  /** A server that fails on request and otherwise forwards to `server`. */
  startFaultServer: (server: NatsServer) => Promise<FaultServer>;
  openCutter: (server: NatsServer) => Promise<Cutter>;
  /** Three servers of a JetStream cluster. */
  startCluster: (program: string) => Promise<NatsCluster>;
  /** A browser to be killed. */
  startBrowser: () => Promise<KillableBrowser>;
  observer: void;
}

/** The fixtures of the end-to-end tests, and fixtures that inject faults. Pages have `observer`. */
export const test = base.extend<FaultFixtures>({
  random: async ({}, use, info) => {
    const seed = givenSeed ?? Math.floor(Math.random() * 2 ** 32);
    await use(seeded(seed));
    if (info.status !== info.expectedStatus) console.log(`${info.title}: repeat with FAULTS_SEED=${seed}`);
  },

  observer: [
    async ({ context }, use) => {
      await context.addInitScript(installObserver);
      await use();
    },
    { auto: true },
  ],

  startFaultServer: async ({}, use) => {
    const servers: FaultServer[] = [];
    await use(async (server) => {
      const faulty = await startFaultServer(server.wsUrl);
      servers.push(faulty);
      return faulty;
    });
    await Promise.all(servers.map((server) => server.close()));
  },

  openCutter: async ({}, use) => {
    const cutters: Cutter[] = [];
    await use(async (server) => {
      const cutter = await openCutter(server.wsUrl);
      cutters.push(cutter);
      return cutter;
    });
    await Promise.all(cutters.map((cutter) => cutter.close()));
  },

  startCluster: async ({}, use) => {
    const clusters: Awaited<ReturnType<typeof startNatsCluster>>[] = [];
    await use(async (program) => {
      const started = await startNatsCluster(program);
      clusters.push(started);
      return started.cluster;
    });
    await Promise.all(clusters.map(({ dispose }) => dispose()));
  },

  startBrowser: async ({ browserName, launchOptions, consoleGuard }, use) => {
    const browsers: KillableBrowser[] = [];
    await use(async () => {
      const browser = await startKillableBrowser(browserName, launchOptions, async (context) => {
        consoleGuard.watch(context);
        await context.addInitScript(installObserver);
      });
      browsers.push(browser);
      return browser;
    });
    await Promise.all(browsers.map((browser) => browser.dispose()));
  },
});
