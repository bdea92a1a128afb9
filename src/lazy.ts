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
  nats: () => import("nats.ws").then(({ connect }) => ({ connect })),
  fflate: () => import("fflate").then(({ gzipSync, Gunzip }) => ({ gzipSync, Gunzip })),
  structured: () => import("./entry/structured.ts"),
};
