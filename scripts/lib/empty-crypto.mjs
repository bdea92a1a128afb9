const EMPTY = "\0empty-crypto";

/**
 * nats.ws has a `require("crypto")` for Node, which no browser ever reaches; Vite warns of it all the same.
 * This gives it an empty module.
 * @returns {import("vite").Plugin}
 */
export function emptyCrypto() {
  return {
    name: "empty-crypto",
    enforce: "pre",
    resolveId: (id) => (id === "crypto" ? EMPTY : undefined),
    load: (id) => (id === EMPTY ? "export default {}" : undefined),
  };
}
