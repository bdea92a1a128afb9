// Builds a page that exposes all exports of the library, and compares what it loads at its start (the entry chunk and its static imports) with
// the limit in package.json ("size-limit"). Needs dist/ (npm run build).
import { fileURLToPath } from "node:url";
import { runnerImport } from "vite";
import { root } from "./lib/root.mjs";
import { run } from "./lib/run.mjs";

/** @typedef {{ writeStart(folder: string): Promise<void> }} SizeModule */

const { module } = await runnerImport(fileURLToPath(new URL("../bench/size.ts", import.meta.url)), { configFile: false, logLevel: "warn" });
await /** @type {SizeModule} */ (module).writeStart(`${root}reports/app`);
process.exitCode = await run(process.execPath, ["node_modules/size-limit/bin.js"]);
