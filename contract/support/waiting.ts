import type { NASKeyStore } from "nas-keystore";

/** Only a case that hangs waits this long. */
const LIMIT_MS = 30_000;
const PAUSE_MS = 20;

/** Resolves once the check returns true. For a condition that no event announces; see `details` and `nextEvent` for the others. */
export async function until(condition: string, check: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + LIMIT_MS;
  while (!(await check())) {
    if (performance.now() > end) throw new Error(`Waited ${LIMIT_MS} ms until ${condition}.`);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

/** Resolves once the server has confirmed or rejected every pending write of the namespace. */
export function untilPublished(store: Pick<NASKeyStore, "flush">): Promise<void> {
  return until("all writes are published", async () => (await store.flush()).pending === 0);
}
