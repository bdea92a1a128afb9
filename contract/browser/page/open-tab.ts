import type { KeyStoreOptions } from "nas-keystore";
import type { Tab } from "../../environment.ts";
import type { TabAnswer } from "../run.ts";
import { request } from "./request.ts";
import type { TabWorkers } from "./tab-workers.ts";

/** Makes a store in a separate worker. The worker shares with this realm only the things that tabs share. */
export async function openTab(
  { NASKeyStore, KeyStoreError }: typeof import("nas-keystore"),
  workers: TabWorkers,
  options: KeyStoreOptions,
  reportProblem: (line: string) => void,
): Promise<Tab> {
  const { port1: tab, port2 } = new MessageChannel();
  tab.onmessage = ({ data }: MessageEvent<string>) => reportProblem(`in a tab: ${data}`);
  const id = await workers.start(port2);

  const call = async (method: string, ...args: unknown[]): Promise<unknown> => {
    const { value, error } = await request<TabAnswer>(tab, [method, ...args]);
    if (error?.code !== undefined) throw new KeyStoreError(error.code, error.message, { key: error.key });
    if (error !== undefined) throw new Error(error.message);
    return value;
  };
  const methods = Object.getOwnPropertyNames(NASKeyStore.prototype).map((method) => [
    method,
    (...args: unknown[]) => call(method, ...args),
  ]);
  await call("new", options);
  let isOpen = true;
  const kill = async (): Promise<void> => {
    isOpen = false;
    await workers.end(id);
    tab.close();
  };
  return {
    ...(Object.fromEntries(methods) as Tab),
    load: (...args) => call("load", ...args),
    kill,
    close: async () => {
      if (!isOpen) return;
      await call("close");
      await kill();
    },
  };
}
