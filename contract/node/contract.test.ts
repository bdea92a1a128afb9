import { IDBFactory, IDBKeyRange } from "fake-indexeddb";
import { connect } from "nats";
import { afterAll, describe, it, vi } from "vitest";
import * as library from "../../src/index.ts";
import { FakeLocks } from "../../src/testing/fake-locks.ts";
import { openStore } from "../../src/testing/stores.ts";
import { systemClock } from "../../src/util/clock.ts";
import { contract } from "../cases/index.ts";
import type { Connect, Tab } from "../environment.ts";
import { openCaseServer, runsOf, SharedServers, type CaseRun } from "../server/case-server.ts";
import { caseEnvironment } from "../support/case-environment.ts";
import { loadValue } from "../support/load-value.ts";

const servers = new SharedServers();

afterAll(() => servers.dispose());

// Node has one realm, so a tab cannot be killed.
for (const [subject, cases] of Object.entries(contract)) {
  describe(subject, () => {
    for (const run of cases.filter(({ kills }) => !kills).flatMap(runsOf)) it(run.title, () => runCase(run));
  });
}

/** Runs a case with fake-indexeddb. The store connects to a real server over TCP, because Node 20 has no WebSocket. */
async function runCase(run: CaseRun): Promise<void> {
  vi.stubGlobal("indexedDB", new IDBFactory());
  vi.stubGlobal("IDBKeyRange", IDBKeyRange);
  vi.stubGlobal("navigator", { onLine: true, locks: new FakeLocks() });
  const namespace = `contract-${crypto.randomUUID()}`;
  const caseServer = await openCaseServer(servers, run, namespace, "tcp");
  const options = { servers: caseServer.url, connect: connectOverTcp };
  const { environment, dispose } = caseEnvironment({
    library,
    namespace,
    server: caseServer,
    jetstream: caseServer,
    connect: connectOverTcp,
    options,
    openTab: async (tabOptions) => openTab(tabOptions),
  });
  try {
    await run.contractCase.run(environment);
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
