import * as library from "nas-keystore";
import type { Run } from "../run.ts";
import { answerRequests } from "./answer-requests.ts";
import { request } from "./request.ts";
import { runCase } from "./run-case.ts";

/** Runs cases in this worker. The page at the other end of the port starts and ends tabs. */
export function serve(page: MessagePort): void {
  const tabWorkers = {
    start: (port: MessagePort) => request<number>(page, undefined, port),
    end: (id: number) => request<void>(page, id),
  };
  answerRequests(page, (run: Run) => runCase(library, tabWorkers, run));
}
