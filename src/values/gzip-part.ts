import { LazyPart } from "../util/lazy-part.ts";

/** Gzip, with fflate. Loads with the first payload that may have to be compressed or decompressed. */
export const gzipPart = new LazyPart(() => import("./gzip.ts"));
