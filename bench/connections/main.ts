import { cpus, loadavg } from "node:os";
import { parseArgs } from "node:util";
import { findNatsServer, howToGetAServer } from "../../scripts/lib/nats-server.mjs";
import { ask } from "../../scripts/lib/run.mjs";
import { connecting } from "./connecting.ts";
import { requesting } from "./requesting.ts";
import type { Row } from "./rows.ts";

const USAGE = `npm run bench:connections -- [--server <path>] [--only connections|requests] [--quick]

  --server <path>  the nats-server to measure (the one on the PATH)
  --only <part>    connections, or requests to JetStream
  --quick          a twentieth of the work, to check that everything runs; do not publish its figures`;

export async function main(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      server: { type: "string" },
      only: { type: "string" },
      quick: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return console.log(USAGE);
  if (process.platform !== "linux") throw new Error("The CPU time of a server is read from /proc, which only Linux has.");
  const binary = values.server ?? (await findNatsServer());
  if (binary === undefined) throw new Error(`No nats-server was found: ${howToGetAServer}`);
  const scale = values.quick ? 0.05 : 1;
  const [load = 0] = loadavg();
  console.log(
    `${new Date().toISOString().slice(0, 16).replace("T", " ")} UTC, ${await ask(binary, ["--version"])} on loopback, ` +
      `${cpus().length} cores (${cpus()[0]?.model.trim()}), load ${load.toFixed(1)} at the start.\n`,
  );
  console.log("| | cost | measured |\n| --- | --- | --- |");
  if (values.only !== "requests") await connecting(binary, scale, print);
  if (values.only !== "connections") await requesting(binary, scale, print);
}

function print(...rows: readonly Row[]): void {
  for (const { name, value, unit, count } of rows) {
    console.log(`| ${name} | ${value.toPrecision(value < 1_000 ? 3 : 4).replace(/\.0+$/, "")} ${unit} | ${count} |`);
  }
}
