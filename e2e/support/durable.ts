import type { Page } from "@playwright/test";
import type { KeyStoreOptions } from "nas-keystore";
import { expect, openStoreIn, visit } from "./fixtures.ts";
import { test as base } from "./faults.ts";
import type { NatsServer } from "./nats-server.ts";
import type { TestedServer } from "./nats-servers.ts";
import { openStream, type Stream } from "./stream-client.ts";

export { expect, visit };

interface DurableFixtures {
  /** A server with JetStream, and the stream of the namespace that `ensureStream()` has created. */
  startStream: (tested: TestedServer) => Promise<{ server: NatsServer; stream: Stream }>;
}

/** The fixtures of the fault tests, and those for durable mode. */
export const test = base.extend<DurableFixtures>({
  startStream: async ({ startNats, openPage, namespace }, use) => {
    const streams: Stream[] = [];
    await use(async ({ program }) => {
      const server = await startNats({ jetstream: true, program });
      const page = await openPage();
      await openDurable(page, { servers: server.wsUrl, namespace });
      await page.evaluate(() => store.ensureStream());
      await page.close();
      const stream = await openStream(server, namespace);
      streams.push(stream);
      return { server, stream };
    });
    await Promise.all(streams.map((stream) => stream.close()));
  },
});

/** Makes a store in durable mode in a page, there called `store`. */
export function openDurable(page: Page, options: KeyStoreOptions): Promise<void> {
  return openStoreIn(page, { durable: true, ...options });
}

export function pullIn(page: Page): Promise<{ applied: number; deleted: number; skipped: number; rejected: number; revision: number }> {
  return page.evaluate(() => store.pull());
}
