import { findNatsServers, type FoundServer } from "../../scripts/lib/nats-server.mjs";

/** A nats-server of this machine. */
export interface TestedServer extends FoundServer {
  /** For titles of tests: "nats-server 2.9". */
  readonly title: string;
}

/** The servers that tests of JetStream run on: the machine's, and the newest one if it has been built. Tests make a test for each. */
export const natsServers: readonly TestedServer[] = (await findNatsServers()).map((server) => ({
  ...server,
  title: `nats-server ${server.version.split(".", 2).join(".")}`,
}));
