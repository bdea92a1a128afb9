/** The store of another tab. Messages call its methods. */
import { KeyStoreError, NASKeyStore } from "nas-keystore";
import type { Tab } from "../../environment.ts";
import { loadValue } from "../../support/load-value.ts";
import type { TabAnswer, TabCall } from "../run.ts";
import { answerRequests } from "./answer-requests.ts";
import { watchRealm } from "./problems.ts";

/** Answers calls of this tab's store that arrive on the port, and reports console problems there. */
export function serve(port: MessagePort): void {
  watchRealm((line) => port.postMessage(line));
  answerRequests(port, answer);
}

let store: NASKeyStore | undefined;

async function answer([method, ...args]: TabCall): Promise<TabAnswer> {
  try {
    if (method === "new") {
      store = new NASKeyStore(args[0] as object);
      return {};
    }
    if (method === "load") return { value: await loadValue(store!, ...(args as Parameters<Tab["load"]>)) };
    const call = store?.[method as keyof NASKeyStore] as (...args: unknown[]) => unknown;
    return { value: await call.apply(store, args) };
  } catch (error) {
    const { message } = error as Error;
    return { error: error instanceof KeyStoreError ? { code: error.code, key: error.key, message } : { message } };
  }
}
