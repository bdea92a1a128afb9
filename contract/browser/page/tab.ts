/** The store of another tab, which is called through messages. */
import { KeyStoreError, NASKeyStore } from "nas-keystore";
import type { TabAnswer, TabCall } from "../run.ts";
import { watchRealm } from "./complaints.ts";

watchRealm((line) => globalThis.postMessage(line));

let store: NASKeyStore | undefined;

export async function answer([method, ...args]: TabCall): Promise<TabAnswer> {
  try {
    if (method === "new") {
      store = new NASKeyStore(args[0] as object);
      return {};
    }
    const call = store?.[method as keyof NASKeyStore] as (...args: unknown[]) => unknown;
    return { value: await call.apply(store, args) };
  } catch (error) {
    const { message } = error as Error;
    return { error: error instanceof KeyStoreError ? { code: error.code, key: error.key, message } : { message } };
  }
}
