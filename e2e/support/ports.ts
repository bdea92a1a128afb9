import { randomInt } from "node:crypto";
import { isFree } from "../../scripts/lib/ports.mjs";

/**
 * Free loopback ports below the range of outgoing connections, so that no connection takes the port of a server before it is
 * restarted.
 */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = randomInt(15_000, 32_000);
    if (await isFree(port)) ports.add(port);
  }
  return [...ports];
}
