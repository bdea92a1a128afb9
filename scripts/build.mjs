// Builds dist/ from src/.
import { rmSync } from "node:fs";
import { emitLibrary } from "./lib/emit.mjs";
import { root } from "./lib/root.mjs";

const dist = `${root}dist`;

rmSync(dist, { recursive: true, force: true });
process.exitCode = await emitLibrary(dist);
