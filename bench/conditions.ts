import { cpus, loadavg } from "node:os";
import type { Engine } from "../scripts/lib/browsers.mjs";
import { findNatsServer } from "../scripts/lib/nats-server.mjs";
import { ask } from "../scripts/lib/run.mjs";
import { TRAITS } from "./engines.ts";

/** The machine and the time of a run. */
export interface Conditions {
  readonly date: string;
  readonly browser: string;
  readonly server: string;
  readonly node: string;
  readonly cpu: string;
  readonly cores: number;
  /** The load of the last minute before the run. Above 1, other programs were busy. */
  readonly load: number;
  readonly indexedDb: "on the disk" | "in memory";
  readonly commit: string;
}

export async function conditions(engine: Engine, browserVersion: string, incognito: boolean): Promise<Conditions> {
  const server = await findNatsServer();
  const { name, screen, indexedDb } = TRAITS[engine];
  return {
    date: new Date().toISOString().slice(0, 16).replace("T", " ") + " UTC",
    browser: `${name} ${browserVersion}, ${screen}`,
    server: (server && (await ask(server, ["--version"]))) ?? "unknown",
    node: process.version,
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: cpus().length,
    load: Math.round((loadavg()[0] ?? 0) * 10) / 10,
    indexedDb: incognito ? "in memory" : indexedDb,
    commit: (await ask("git", ["describe", "--always", "--dirty"])) ?? "unknown",
  };
}

export function describe({ date, browser, server, node, cpu, cores, load, indexedDb, commit }: Conditions): string {
  return (
    `${date}, commit ${commit}: ${browser}, IndexedDB ${indexedDb}, ${server} on loopback, Node ${node}, ` +
    `${cores} cores (${cpu}), load ${load} at the start.`
  );
}
