import type { Outcome } from "../run.ts";
import { answerRequests } from "./answer-requests.ts";
import { request } from "./request.ts";
import { pageTabWorkers } from "./tab-workers.ts";

/** Cases run in a dedicated worker, which asks this page to start and end tabs. */
const worker = new Worker("case-worker.js", { type: "module" });
const { port1: cases, port2 } = new MessageChannel();
worker.postMessage("serve", [port2]);
answerRequests(cases, (id: number | undefined, tab?: MessagePort) =>
  tab === undefined ? pageTabWorkers.end(id!) : pageTabWorkers.start(tab),
);
const broken = new Promise<Outcome>((resolve) => {
  worker.onerror = ({ message }) => resolve({ failure: `The worker failed: ${message}`, problems: [] });
});

globalThis.runCase = (run) => Promise.race([request<Outcome>(cases, run), broken]);
