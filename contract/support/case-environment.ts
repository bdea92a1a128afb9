import type { KeyStoreOptions, NASKeyStore } from "nas-keystore";
import type { Environment, Tab } from "../environment.ts";
import { rawDatabase } from "./raw-database.ts";

/** The parts of an environment that differ between Node and browsers. */
export interface Realm extends Pick<Environment, "library" | "namespace" | "server" | "jetstream" | "connect"> {
  /** Options of every store of the case: the server and the client. */
  readonly options: KeyStoreOptions;
  readonly openTab: (options: KeyStoreOptions) => Promise<Tab>;
}

/** Makes a case's environment. `dispose` closes its stores and tabs, and restores the clock. */
export function caseEnvironment(realm: Realm): { environment: Environment; dispose: () => Promise<void> } {
  const { library, namespace, server, jetstream, connect } = realm;
  const stores: NASKeyStore[] = [];
  const tabs: Tab[] = [];
  const realNow = Date.now;
  const completed = (options?: KeyStoreOptions): KeyStoreOptions => ({ ...realm.options, namespace, ...options });
  return {
    environment: {
      library,
      namespace,
      server,
      jetstream,
      connect,
      database: rawDatabase(namespace),
      openStore: (options) => {
        const store = new library.NASKeyStore(completed(options));
        stores.push(store);
        return store;
      },
      openTab: async (options) => {
        const tab = await realm.openTab(completed(options));
        tabs.push(tab);
        return tab;
      },
      setClock: (ms) => void (Date.now = () => ms),
    },
    dispose: async () => {
      Date.now = realNow;
      await Promise.all([...stores, ...tabs].map((opened) => opened.close()));
    },
  };
}
