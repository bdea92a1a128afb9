// Measures the library against its peers: see docs/PERFORMANCE.md. The driver is TypeScript, which Node 20 cannot run itself.
import { fileURLToPath } from "node:url";
import { runnerImport } from "vite";

/** @typedef {{ main(args: readonly string[]): Promise<number> }} Driver */

const driver = fileURLToPath(new URL("driver.ts", import.meta.url));
const { module } = await runnerImport(driver, { configFile: false, logLevel: "warn" });
process.exitCode = await /** @type {Driver} */ (module).main(process.argv.slice(2));
