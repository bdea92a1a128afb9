import { IDBFactory, IDBKeyRange } from "fake-indexeddb";
import { connect } from "nats";
import { afterAll, beforeAll, describe, it, vi } from "vitest";
import * as library from "../../src/index.ts";
import { FakeLocks } from "../../src/testing/fake-locks.ts";
import { openStore } from "../../src/testing/stores.ts";
import { systemClock } from "../../src/util/clock.ts";
import { contract } from "../cases/index.ts";
import type { Connect, ContractCase, Tab } from "../environment.ts";
import { openCaseServer, startSharedServer, type SharedServer } from "../server/case-server.ts";
import { caseEnvironment } from "../support/case-environment.ts";
import { loadValue } from "../support/load-value.ts";

let server: SharedServer;

beforeAll(async () => {
  server = await startSharedServer();
});

afterAll(() => server.dispose());

// Node has one realm, so a tab cannot be killed.
for (const [subject, cases] of Object.entries(contract)) {
  describe(subject, () => {
    for (const contractCase of cases.filter(({ kills }) => !kills)) it(contractCase.title, () => runCase(contractCase));
  });
}

/** Runs a case with fake-indexeddb. The store connects to a real server over TCP, because Node 20 has no WebSocket. */
async function runCase(contractCase: ContractCase): Promise<void> {
  vi.stubGlobal("indexedDB", new IDBFactory());
  vi.stubGlobal("IDBKeyRange", IDBKeyRange);
  vi.stubGlobal("navigator", { onLine: true, locks: new FakeLocks() });
  const namespace = `contract-${crypto.randomUUID()}`;
  const caseServer = await openCaseServer(server, contractCase, namespace, "tcp");
  const options = { servers: caseServer.url, connect: connectOverTcp };
  const { environment, dispose } = caseEnvironment({
    library,
    namespace,
    server: caseServer,
    connect: connectOverTcp,
    options,
    openTab: async (tabOptions) => openTab(tabOptions),
  });
  try {
    await contractCase.run(environment);
  } finally {
    await dispose();
    await caseServer.dispose();
    vi.unstubAllGlobals();
  }
}

/** The packages `nats` and `nats.ws` are the same client with different transports. */
const connectOverTcp: Connect = (options) => {
  const { servers } = options as { servers: string[] };
  return connect({ ...options, servers: servers.map((url) => new URL(url).host) });
};

/** In Node, a tab is another store in the same realm, which does not know the others. It cannot be killed. */
function openTab(options: library.KeyStoreOptions): Tab {
  const kill = (): never => {
    throw new Error("Node cannot kill a tab. Declare `kills: true`.");
  };
  const store = openStore(options, systemClock);
  const load: Tab["load"] = (...call) => loadValue(store, ...call);
  return Object.assign(store, { kill, load });
}
