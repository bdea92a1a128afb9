// Builds a page that exposes all exports of the library, and compares what it loads at its start (the entry chunk and its static imports), and
// chunks that it loads later, with the limits in package.json ("size-limit"). Needs dist/ (npm run build).
import { fileURLToPath } from "node:url";
import { runnerImport } from "vite";
import { root } from "./lib/root.mjs";
import { run } from "./lib/run.mjs";

/** @typedef {{ writeChunks(folder: string, lazyFolder: string): Promise<void> }} SizeModule */

const { module } = await runnerImport(fileURLToPath(new URL("../bench/size.ts", import.meta.url)), { configFile: false, logLevel: "warn" });
await /** @type {SizeModule} */ (module).writeChunks(`${root}reports/app`, `${root}reports/app-lazy`);
process.exitCode = await run(process.execPath, ["node_modules/size-limit/bin.js"]);
