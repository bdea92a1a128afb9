import { LazyPart } from "../util/lazy-part.ts";

/** Loads with the first `export` or `import`. */
export const transferPart = new LazyPart(() => import("../transfer/transfer.ts"));
