import { within } from "./deadline.ts";
import { KeyStoreError } from "./errors.ts";

/**
 * The parts that load with their first use. Service workers have no `import()`: the entry point `nas-keystore/eager`
 * brings them along and puts them in here.
 */
export const lazy: {
  compression: () => Promise<typeof import("./entry/compression.ts")>;
  structured: () => Promise<typeof import("./entry/structured.ts")>;
} = {
  compression: () => loaded(import("./entry/compression.ts")),
  structured: () => loaded(import("./entry/structured.ts")),
};

/** A server that accepts and says nothing must not make a call wait for ever. */
const LOAD_TIMEOUT_MS = 10_000;

/**
 * A part, once it has loaded. Must not be taken for damage of what is stored: the part may load the next time.
 * @throws KeyStoreError STORAGE_UNAVAILABLE, also when nothing has come for 10 s
 */
export function loaded<T>(part: Promise<T>): Promise<T> {
  const late = (): never => {
    throw new Error(`Nothing came within ${LOAD_TIMEOUT_MS} ms.`);
  };
  return within(LOAD_TIMEOUT_MS, part, late).catch((cause: unknown) => {
    throw new KeyStoreError(
      "STORAGE_UNAVAILABLE",
      "A part of nas-keystore could not be loaded: reload the page when the network is back, or import nas-keystore/eager.",
      { cause },
    );
  });
}
