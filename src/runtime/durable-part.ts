import type { PullState } from "../durable/pull.ts";
import type { Database } from "../storage/idb/database.ts";
import { LazyPart } from "../util/lazy-part.ts";

/** Loads with a store in durable mode. */
export const durablePart = new LazyPart(() => import("../durable/durable.ts"));

/** Reads up to which revision the database has all keys. */
export async function loadPulled(state: PullState, database: Pick<Database, "run">): Promise<void> {
  const { pulledTo, readPulled } = await durablePart.load();
  state.pulledTo = Math.max(state.pulledTo, pulledTo(await readPulled(database), "*"));
}
