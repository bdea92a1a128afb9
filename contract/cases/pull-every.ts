import { assert } from "chai";
import type { ContractCase } from "../environment.ts";
import { details, nextEvent } from "../support/events.ts";
import { createStream, otherBrowser } from "../support/other-browser.ts";
import { until } from "../support/waiting.ts";

const OFTEN = { durable: { pullEveryMs: 30 } } as const;
const SELDOM = { durable: { pullEveryMs: 2 ** 30 } } as const;

/** The option `durable.pullEveryMs`: pulls in the background. */
export const pullEvery: readonly ContractCase[] = [
  {
    title: "A store with `pullEveryMs` reports what another browser stores and deletes, without any call",
    jetstream: true,
    run: async (environment) => {
      await createStream(environment);
      const store = environment.openStore(OFTEN);
      const stored = nextEvent(store, "change", ({ type }) => type === "store");
      const deleted = nextEvent(store, "change", ({ type }) => type === "delete");
      const other = otherBrowser(environment);
      const revision = await other.store("k", { from: "afar" });
      assert.deepInclude(await stored, { key: "k", type: "store", source: "remote", version: 1 });
      assert.deepEqual(await store.retrieve("k"), { from: "afar" });
      assert.equal((await store.getMetadata("k"))?.revision, revision);
      await other.delete("k");
      assert.deepInclude(await deleted, { key: "k", type: "delete", source: "remote" });
      assert.isUndefined(await store.retrieve("k"));
    },
  },
  {
    title: "A store with `pullEveryMs` pulls as soon as it is open",
    jetstream: true,
    run: async (environment) => {
      await createStream(environment);
      await otherBrowser(environment).store("k", 1);
      const store = environment.openStore(SELDOM);
      await until("the entry has arrived", async () => (await store.retrieve("k")) === 1);
    },
  },
  {
    title: "Every tab of a browser gets what one of them pulls, also after that one has closed",
    jetstream: true,
    run: async (environment) => {
      await createStream(environment);
      const store = environment.openStore(OFTEN);
      const tab = await environment.openTab(OFTEN);
      const other = otherBrowser(environment);
      await other.store("k", 1);
      await until("both tabs have the entry", async () => (await store.retrieve("k")) === 1 && (await tab.retrieve("k")) === 1);
      await store.close();
      await other.store("k", 2, { version: 2 });
      await until("the other tab has the new value", async () => (await tab.retrieve("k")) === 2);
    },
  },
  {
    title: "A store with `pullEveryMs` pulls when the stream is there at last, and dispatches no errors of its own",
    jetstream: true,
    run: async (environment) => {
      const store = environment.openStore(OFTEN);
      const events = [details(store, "corrupt"), details(store, "rejected"), details(store, "conflict")];
      assert.isUndefined(await store.retrieve("k"));
      await createStream(environment);
      await otherBrowser(environment).store("k", 1);
      await until("the entry has arrived", async () => (await store.retrieve("k")) === 1);
      assert.deepEqual(events, [[], [], []]);
    },
  },
  {
    title: "A store with `pullEveryMs` pulls again after an outage and after a server that hangs",
    jetstream: true,
    outage: true,
    run: async (environment) => {
      const { openStore, server } = environment;
      await createStream(environment);
      const other = otherBrowser(environment);
      const store = openStore({ ...OFTEN, timeoutMs: 500 });
      let version = 0;
      for (const breakDown of [server.disconnect, server.hang]) {
        await breakDown();
        await other.store("k", ++version, { version });
        await server.restore();
        await until("the value has arrived", async () => (await store.retrieve("k")) === version);
      }
    },
  },
  {
    title: "A store with `pullEveryMs` can be closed while it pulls from a server that hangs",
    jetstream: true,
    outage: true,
    run: async (environment) => {
      const { openStore, server } = environment;
      await createStream(environment);
      const store = openStore({ ...OFTEN, timeoutMs: 500 });
      await server.hang();
      await store.store("k", 1);
      await store.close();
      await server.restore();
    },
  },
];
