/** Only a failing case waits this long. */
const LIMIT_MS = 30_000;
const PAUSE_MS = 20;

/** Resolves once the check returns true. */
export async function until(condition: string, check: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + LIMIT_MS;
  while (!(await check())) {
    if (performance.now() > end) throw new Error(`Waited ${LIMIT_MS} ms until ${condition}.`);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}
