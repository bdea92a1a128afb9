import { assert } from "chai";
import type { ContractCase, Environment } from "../environment.ts";

/** Servers at which nothing listens. */
const DEAD = ["ws://127.0.0.1:1", "ws://127.0.0.1:2"] as const;
const connection = { noRandomize: true };

/** Lists of servers, with the `connect` function of another client. */
export const servers: readonly ContractCase[] = [
  {
    title: "connect is called once for each server of a list, and ping resolves false when none of them answers",
    outage: true,
    run: async ({ openStore, ...environment }) => {
      const { connect, tried } = noted(environment);
      // A server that uses up its share of the time is tried again, and Firefox waits before it connects again to a host that has refused.
      assert.isFalse(await openStore({ servers: DEAD, connection, connect, timeoutMs: 60_000 }).ping());
      assert.deepEqual(tried, [...DEAD]);
    },
  },
  {
    title: "A write is confirmed by the next server of a list when one is dead, and later writes go there first",
    failsSockets: true,
    run: async ({ openStore, server, ...environment }) => {
      const alive = await addressOf({ openStore, ...environment });
      const { connect, tried } = noted(environment);
      const store = openStore({ servers: [DEAD[0], alive], connection, connect, timeoutMs: 60_000 });
      assert.isTrue(await store.store("a", 1));
      assert.isTrue(await store.delete("a"));
      assert.isTrue(await store.ping());
      assert.deepEqual(tried, [DEAD[0], alive, alive, alive]);
      assert.lengthOf(await server.waitForMessages(2), 2);
    },
  },
  {
    title: "A write is confirmed within timeoutMs by the next server of a list when one never answers",
    run: async ({ openStore, server, ...environment }) => {
      const alive = await addressOf({ openStore, ...environment });
      const { connect, tried } = noted(environment);
      const hanging = (given: object) => (serverIn(given) === alive ? connect(given) : new Promise<never>(() => undefined));
      const store = openStore({ servers: [DEAD[0], alive], connection, connect: hanging, timeoutMs: 12_000 });
      assert.isTrue(await store.store("a", 1));
      assert.deepEqual(tried, [alive]);
      assert.lengthOf(await server.waitForMessages(1), 1);
    },
  },
];

/** The client's `connect`, and the servers that it has been asked for. */
function noted({ connect }: Pick<Environment, "connect">) {
  const tried: string[] = [];
  return {
    tried,
    connect: (given: object) => {
      tried.push(serverIn(given));
      return connect(given);
    },
  };
}

function serverIn(given: object): string {
  const { servers: list } = given as { servers: string[] };
  assert.lengthOf(list, 1);
  return list[0] as string;
}

/** The address of the case's server. */
async function addressOf({ openStore, connect }: Pick<Environment, "openStore" | "connect">): Promise<string> {
  const client = noted({ connect });
  const store = openStore({ connect: client.connect });
  await store.ping();
  await store.close();
  return client.tried[0] as string;
}
