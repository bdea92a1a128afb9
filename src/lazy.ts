import { KeyStoreError } from "./errors.ts";

/**
 * The parts that load with their first use. Service workers have no `import()`: the entry point `nas-keystore/eager`
 * brings them along and puts them in here.
 */
export const lazy: {
  nats: () => Promise<Pick<typeof import("nats.ws"), "connect">>;
  fflate: () => Promise<Pick<typeof import("fflate"), "gzipSync" | "Gunzip">>;
  structured: () => Promise<typeof import("./entry/structured.ts")>;
} = {
  // Taken apart, so that bundlers can leave out the rest.
  nats: () => loaded(import("nats.ws").then(({ connect }) => ({ connect }))),
  fflate: () => loaded(import("fflate").then(({ gzipSync, Gunzip }) => ({ gzipSync, Gunzip }))),
  structured: () => loaded(import("./entry/structured.ts")),
};

/** A server that accepts and says nothing must not make a call wait for ever. */
const LOAD_TIMEOUT_MS = 10_000;

/** Must not be taken for damage of what is stored: the part may load the next time. */
export function loaded<T>(part: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const fail = (cause: unknown): void => {
      reject(
        new KeyStoreError(
          "STORAGE_UNAVAILABLE",
          "A part of nas-keystore that loads on its own could not be loaded: try again when the network is back, or " +
            "import nas-keystore/eager.",
          { cause },
        ),
      );
    };
    const timer = setTimeout(() => fail(new Error(`Nothing came within ${LOAD_TIMEOUT_MS} ms.`)), LOAD_TIMEOUT_MS);
    part.then(resolve, fail).finally(() => clearTimeout(timer));
  });
}
