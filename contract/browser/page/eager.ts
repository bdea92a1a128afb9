import * as library from "nas-keystore/eager";
import { runCase } from "./run-case.ts";

globalThis.runCase = (run) => runCase(library, run);
