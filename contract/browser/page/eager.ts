import * as library from "nas-keystore/eager";
import { runCase } from "./run-case.ts";
import { pageTabWorkers } from "./tab-workers.ts";

globalThis.runCase = (run) => runCase(library, pageTabWorkers, run);
