import type { KeyStoreOptions } from "nas-keystore";
import type { Tab } from "../../environment.ts";
import type { TabAnswer } from "../run.ts";
import { request } from "./request.ts";

/** Makes a store in a worker of its own. A worker shares no more with this realm than another tab does. */
export async function openTab(
  { NASKeyStore, KeyStoreError }: typeof import("nas-keystore"),
  options: KeyStoreOptions,
  complain: (line: string) => void,
): Promise<Tab> {
  const worker = new Worker("tab-worker.js", { type: "module" });
  worker.onmessage = ({ data }: MessageEvent<string>) => complain(`in a tab: ${data}`);
  worker.onerror = ({ message }) => complain(`in a tab: ${message}`);

  const call = async (method: string, ...args: unknown[]): Promise<unknown> => {
    const { value, error } = await request<TabAnswer>(worker, [method, ...args]);
    if (error?.code !== undefined) throw new KeyStoreError(error.code, error.message, { key: error.key });
    if (error !== undefined) throw new Error(error.message);
    return value;
  };
  const methods = Object.getOwnPropertyNames(NASKeyStore.prototype).map((method) => [
    method,
    (...args: unknown[]) => call(method, ...args),
  ]);
  await call("new", options);
  let isEnded = false;
  const end = (): void => {
    isEnded = true;
    worker.terminate();
  };
  return {
    ...(Object.fromEntries(methods) as Tab),
    close: async () => {
      if (!isEnded) await call("close");
      end();
    },
    kill: end,
  };
}
