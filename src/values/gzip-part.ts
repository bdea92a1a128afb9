import { LazyPart } from "../util/lazy-part.ts";

/** Compressed payloads: gzip, with fflate. Loads with the first payload that may have to be compressed or decompressed. */
export const gzipPart = new LazyPart(() => import("./compressed-payload.ts"));
