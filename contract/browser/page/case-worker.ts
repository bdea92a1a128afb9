import * as library from "nas-keystore";
import type { Run } from "../run.ts";
import { answerRequests } from "./messaging.ts";
import { runCase } from "./run-case.ts";

answerRequests((run: Run) => runCase(library, run));
