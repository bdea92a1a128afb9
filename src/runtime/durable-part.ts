import { LazyPart } from "../util/lazy-part.ts";

/** Loads with a store in durable mode. */
export const durablePart = new LazyPart(() => import("../durable/durable.ts"));
