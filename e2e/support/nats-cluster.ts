import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NatsCluster, type Ports } from "../../scripts/lib/nats-cluster.mjs";
import { freePorts } from "./ports.ts";

/** The shortest lame-duck mode that nats-server accepts. It ends earlier when no connection is left. */
const CONFIG = `lame_duck_grace_period: "1s"\nlame_duck_duration: "30s"`;

/** Three servers of a JetStream cluster on free loopback ports, and their end. Streams with three replicas are possible. */
export async function startNatsCluster(program: string): Promise<{ cluster: NatsCluster; dispose: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), "nas-keystore-cluster-"));
  const remove = () => rm(folder, { recursive: true, force: true });
  for (let attempt = 1; ; attempt++) {
    const ports = [await portsOfServer(), await portsOfServer(), await portsOfServer()];
    try {
      const cluster = await NatsCluster.start({ program, folder, ports, config: CONFIG });
      return {
        cluster,
        dispose: async () => {
          await cluster.stop();
          await remove();
        },
      };
    } catch (error) {
      // Another process may take a port between the check and the start of the server.
      if (attempt < 5 && String(error).includes("address already in use")) continue;
      await remove();
      throw error;
    }
  }
}

async function portsOfServer(): Promise<Ports> {
  const [websocket = 0, client = 0, monitoring = 0, routes = 0] = await freePorts(4);
  return { websocket, client, monitoring, routes };
}
