import { randomInt } from "node:crypto";
import { isFree } from "../../scripts/lib/ports.mjs";

/**
 * Free loopback ports, below those that the system gives to outgoing connections: a server that is restarted must find
 * its port as it left it.
 */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = randomInt(15_000, 32_000);
    if (await isFree(port)) ports.add(port);
  }
  return [...ports];
}
