// Measures what connections and requests cost a nats-server: see docs/SCALE.md. Linux only. Node 20 cannot run TypeScript itself.
import { fileURLToPath } from "node:url";
import { runnerImport } from "vite";

/** @typedef {{ main(args: readonly string[]): Promise<void> }} Driver */

const driver = fileURLToPath(new URL("connections/main.ts", import.meta.url));
const { module } = await runnerImport(driver, { configFile: false, logLevel: "warn" });
await /** @type {Driver} */ (module).main(process.argv.slice(2));
