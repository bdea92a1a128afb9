import type { Run } from "../run.ts";
import { answerRequests } from "./answer-requests.ts";

// By import(): WebKitGTK 2.50 evaluates a worker's first module again when a chunk that loads later imports from it.
const library = import("nas-keystore");
const cases = import("./run-case.ts");

answerRequests(async (run: Run) => (await cases).runCase(await library, run));
