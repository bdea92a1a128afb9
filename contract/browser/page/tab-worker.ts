import type { TabCall } from "../run.ts";
import { answerRequests } from "./answer-requests.ts";

// By import(), as in case-worker.ts.
const tab = import("./tab.ts");

answerRequests(async (call: TabCall) => (await tab).answer(call));
