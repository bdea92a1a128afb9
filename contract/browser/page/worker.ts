import type { Outcome } from "../run.ts";
import { request } from "./messaging.ts";

/** Cases run in a dedicated worker. */
const worker = new Worker(new URL("./case-worker.ts", import.meta.url), { type: "module" });
const broken = new Promise<Outcome>((resolve) => {
  worker.onerror = ({ message }) => resolve({ failure: `The worker failed: ${message}`, complaints: [] });
});

globalThis.runCase = (run) => Promise.race([request<Outcome>(worker, run), broken]);
