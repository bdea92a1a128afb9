/** What loads with the first `export` or `import`. */
export { exportEntries } from "./export-entries.ts";
export { importEnvelopes } from "./import-envelopes.ts";
