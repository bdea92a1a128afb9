import { expect } from "@playwright/test";
import type { NatsServer } from "./nats-server.ts";

/** Waits until the server has no open WebSocket. A store does not wait until the server has seen its close. */
export async function expectNoSocketLeft(server: NatsServer): Promise<void> {
  await expect.poll(async () => (await server.connections()).openWebSockets).toBe(0);
}
