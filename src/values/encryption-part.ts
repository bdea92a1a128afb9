import { LazyPart } from "../util/lazy-part.ts";

/** Encryption of payloads. Loads with the write side of a store that encrypts, or with the first encrypted payload that is read. */
export const encryptionPart = new LazyPart(() => import("./encryption.ts"));
