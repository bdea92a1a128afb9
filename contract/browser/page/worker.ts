import type { Outcome } from "../run.ts";
import { request } from "./request.ts";

/** Runs cases in a dedicated worker. */
const worker = new Worker("case-worker.js", { type: "module" });
const broken = new Promise<Outcome>((resolve) => {
  worker.onerror = ({ message }) => resolve({ failure: `The worker failed: ${message}`, complaints: [] });
});

globalThis.runCase = (run) => Promise.race([request<Outcome>(worker, run), broken]);
