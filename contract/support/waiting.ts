/** Generous: it bounds only a case that fails. */
const LIMIT_MS = 30_000;
const PAUSE_MS = 20;

/** Resolves once the check returns true. */
export async function until(condition: string, check: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + LIMIT_MS;
  while (!(await check())) {
    if (performance.now() > end) throw new Error(`Within ${LIMIT_MS} ms it did not become true that ${condition}.`);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}
