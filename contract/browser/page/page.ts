import * as library from "nas-keystore";
import { runCase } from "./run-case.ts";

globalThis.runCase = (run) => runCase(library, run);
