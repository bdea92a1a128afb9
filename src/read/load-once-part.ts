import { LazyPart } from "../util/lazy-part.ts";

/** What `retrieveOrStore` needs when memory does not have the value. Loads with the first such call. */
export const loadOncePart = new LazyPart(() => import("./load-once.ts"));
