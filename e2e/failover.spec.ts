import type { Page } from "@playwright/test";
import type { KeyStoreOptions } from "nas-keystore";
import { LONG_MS } from "./support/deadline.ts";
import { expect, test } from "./support/fixtures.ts";
import { keysOf } from "./support/messages.ts";
import type { NatsServer } from "./support/nats-server.ts";
import { storeIn } from "./support/store-in.ts";

/** A server that hangs uses up a third of it. */
const TIMEOUT_MS = 30_000;
/** The second one of a pair stays first in the list until the first has answered. */
const connection = { noRandomize: true };
/** The server waits so long before it closes connections in lame-duck mode. */
const PATIENT = { config: 'lame_duck_grace_period: "20s"\nlame_duck_duration: "60s"' };

type Client = "nats.ws" | "nats-core";
type SocketNotes = { sockets: WebSocket[] };

/** Opens a store in a page with the connect function of a client, and notes the sockets that it opens. */
async function openStoreWith(page: Page, client: Client, options: KeyStoreOptions): Promise<void> {
  await page.evaluate(
    async ([client, options]) => {
      const sockets: WebSocket[] = [];
      const Native = WebSocket;
      globalThis.WebSocket = class extends Native {
        constructor(url: string | URL, protocols?: string | string[]) {
          super(url, protocols);
          sockets.push(this);
        }
      };
      (globalThis as unknown as SocketNotes).sockets = sockets;
      aids.openStore(client === "nats.ws" ? options : { ...options, connect: await aids.natsCoreConnect() });
    },
    [client, options] as const,
  );
}

/** The servers to which the page has opened sockets, in order, as indices of a list. */
async function tried(page: Page, servers: readonly NatsServer[]): Promise<number[]> {
  const urls = await page.evaluate(() => (globalThis as unknown as SocketNotes).sockets.map(({ url }) => url));
  return urls.map((url) => servers.findIndex(({ wsUrl }) => new URL(wsUrl).host === new URL(url).host));
}

/** Waits until the page has closed its sockets. */
async function expectSocketsClosed(page: Page): Promise<void> {
  await expect
    .poll(() => page.evaluate(() => (globalThis as unknown as SocketNotes).sockets.filter(({ readyState }) => readyState < 2).length))
    .toBe(0);
}

for (const client of ["nats.ws", "nats-core"] as const) {
  test.describe(`a list of servers, with ${client}`, () => {
    test.beforeEach(({ consoleGuard }) => consoleGuard.allowFailedSockets());

    test("a write is confirmed by the next server when one is dead, and later writes go there first", async ({
      page,
      startNats,
      openWire,
      namespace,
    }) => {
      const servers = [await startNats(), await startNats()];
      const [gone, alive] = servers as [NatsServer, NatsServer];
      await gone.stop();
      const wire = await openWire(alive);
      await openStoreWith(page, client, { servers: servers.map(({ wsUrl }) => wsUrl), namespace, connection });
      for (const key of ["a", "b", "c"]) expect(await storeIn(page, key)).toBe(true);
      expect(keysOf(await wire.waitFor(3))).toEqual(["a", "b", "c"]);
      expect(await tried(page, servers)).toEqual([0, 1, 1, 1]);
    });

    test("a write is confirmed within timeoutMs when the first server accepts the connection and never answers", async ({
      page,
      startNats,
      openWire,
      namespace,
    }) => {
      const servers = [await startNats(), await startNats()];
      const [suspended, alive] = servers as [NatsServer, NatsServer];
      suspended.suspend();
      const wire = await openWire(alive);
      const options = { servers: servers.map(({ wsUrl }) => wsUrl), namespace, connection, timeoutMs: TIMEOUT_MS };
      await openStoreWith(page, client, options);
      for (const key of ["a", "b"]) expect(await storeIn(page, key)).toBe(true);
      expect(keysOf(await wire.waitFor(2))).toEqual(["a", "b"]);
      expect(await tried(page, servers)).toEqual([0, 1, 1]);
    });

    test("writes move from server to server as these stop and start again, and every one is published", async ({
      page,
      startNats,
      openWire,
      namespace,
    }) => {
      const servers = [await startNats(), await startNats(), await startNats()];
      const [first, second, third] = servers as [NatsServer, NatsServer, NatsServer];
      const wire = await openWire(third);
      await openStoreWith(page, client, { servers: servers.map(({ wsUrl }) => wsUrl), namespace, connection });
      expect(await storeIn(page, "a")).toBe(true);
      await first.stop();
      expect(await storeIn(page, "b")).toBe(true);
      await first.restart();
      await second.stop();
      expect(await storeIn(page, "c")).toBe(true);
      expect(await tried(page, servers)).toEqual([0, 0, 1, 1, 2]);
      expect(keysOf(await wire.waitFor(1))).toEqual(["c"]);
      expect(await page.evaluate(() => store.pendingWrites())).toEqual([]);
    });

    test("a write during lame-duck mode goes to another server at once, and the idle connection is closed", async ({
      page,
      startNats,
      openWire,
      namespace,
    }) => {
      const servers = [await startNats(PATIENT), await startNats()];
      const [leaving, staying] = servers as [NatsServer, NatsServer];
      const wires = [await openWire(leaving), await openWire(staying)] as const;
      await openStoreWith(page, client, { servers: servers.map(({ wsUrl }) => wsUrl), namespace, connection, lingerMs: 10 * LONG_MS });
      expect(await storeIn(page, "before")).toBe(true);
      await wires[0].waitFor(1);
      leaving.leave();
      await expectSocketsClosed(page);
      expect(await storeIn(page, "after")).toBe(true);
      expect(keysOf(await wires[1].waitFor(1))).toEqual(["after"]);
      expect(await tried(page, servers)).toEqual([0, 1]);
    });

    test("no write is lost, queued or rejected when a server enters lame-duck mode under load", async ({
      page,
      startNats,
      openWire,
      namespace,
    }) => {
      const servers = [await startNats(PATIENT), await startNats()];
      const [leaving, staying] = servers as [NatsServer, NatsServer];
      const wires = [await openWire(leaving), await openWire(staying)] as const;
      await openStoreWith(page, client, { servers: servers.map(({ wsUrl }) => wsUrl), namespace, connection });
      const load = page.evaluate(async () => {
        const results: unknown[] = [];
        const state = globalThis as unknown as { isOver: boolean };
        state.isOver = false;
        const write = async (worker: number): Promise<void> => {
          for (let index = 0; !state.isOver; index++) {
            results.push(await store.store(`${worker}-${index}`, index).catch((error: { code: string }) => error.code));
          }
        };
        await Promise.all([0, 1, 2, 3].map(write));
        return { keys: await store.listKeys(), results };
      });
      await wires[0].waitFor(20);
      leaving.leave();
      await wires[1].waitFor(20);
      await page.evaluate(() => void ((globalThis as unknown as { isOver: boolean }).isOver = true));
      const { keys, results } = await load;
      expect(new Set(results)).toEqual(new Set([true]));
      expect(await page.evaluate(() => store.pendingWrites())).toEqual([]);
      await wires[1].settled();
      const received = wires.flatMap(({ messages }) => keysOf(messages));
      expect(new Set(received)).toEqual(new Set(keys));
      expect(received).toHaveLength(keys.length);
    });
  });
}

test("the `offline` event names the servers that were tried, and no credentials", async ({ page, startNats, namespace, consoleGuard }) => {
  consoleGuard.allowFailedSockets();
  const servers = [await startNats(), await startNats()];
  await Promise.all(servers.map((server) => server.stop()));
  const hosts = servers.map(({ wsUrl }) => new URL(wsUrl).host);
  await openStoreWith(page, "nats.ws", {
    servers: hosts.map((host) => `ws://${host}/?token=secret`),
    namespace,
    connection: { ...connection, user: "ada", pass: "secret" },
  });
  expect(await storeIn(page, "a")).toBe(false);
  const [offline] = await page.evaluate(() => aids.happened("offline"));
  expect(offline?.error?.message).toContain(`No NATS server answers at ${hosts.join(", ")}.`);
  const pending = await page.evaluate(() => store.pendingWrites());
  expect(JSON.stringify([offline, pending])).not.toMatch(/secret|ada/);
});
