const EMPTY = "\0empty-crypto";

/**
 * nats.ws has a `require("crypto")` for Node, which no browser runs, but Vite warns about it.
 * This plugin replaces the module by an empty one.
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
