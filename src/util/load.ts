import { systemClock } from "./clock.ts";
import { within } from "./deadline.ts";
import { KeyStoreError } from "./errors.ts";

/** A server that accepts the request and sends nothing must not make a call wait forever. */
const LOAD_TIMEOUT_MS = 10_000;

/**
 * The module, once it has loaded. A failure must not count as damage of a stored entry: the next attempt may succeed.
 * @throws KeyStoreError STORAGE_UNAVAILABLE, also when the module has not loaded within 10 s
 */
export function loaded<T>(module: Promise<T>): Promise<T> {
  const late = (): never => {
    throw new Error(`The module did not load within ${LOAD_TIMEOUT_MS} ms.`);
  };
  return within(systemClock, LOAD_TIMEOUT_MS, module, late).catch((cause: unknown) => {
    throw new KeyStoreError(
      "STORAGE_UNAVAILABLE",
      "A part of nas-keystore could not be loaded. Reload the page when the network is back, or import nas-keystore/eager.",
      { cause },
    );
  });
}
