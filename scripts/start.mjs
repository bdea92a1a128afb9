// Starts the demo, and a NATS server unless one runs. Prints their addresses, and ends what it has started on Ctrl-C.
import { startDevServer } from "./lib/dev-server.mjs";
import { ensurePackages } from "./lib/packages.mjs";
import { root } from "./lib/root.mjs";
import { onAskedToEnd } from "./lib/signals.mjs";
import { startMessage } from "./lib/start-message.mjs";

if (!(await ensurePackages())) {
  console.error("The npm packages could not be installed, see above.");
  process.exit(1);
}

const server = await startDevServer();
// Must listen before Vite does: Vite's own listener ends this process while the server still runs.
onAskedToEnd(() => void server.stop().then(() => process.exit(0)));
const demo = await startDemo();

console.log(startMessage(demo, server));

/** Resolves to the address of the demo. */
async function startDemo() {
  const { createServer } = await import("vite");
  const vite = await createServer({ configFile: `${root}vite.config.ts` });
  await vite.listen();
  return vite.resolvedUrls?.local[0] ?? "";
}
