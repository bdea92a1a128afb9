import { promisifyRequest } from "idb-keyval";

import type { Clock } from "../../util/clock.ts";
import { within } from "../../util/deadline.ts";
import { GENERATION, META } from "./schema.ts";

/** No transaction holds the table META for long: a connection that takes longer does not answer. */
const ANSWER_TIMEOUT_MS = 4_000;

/**
 * The id of the database behind a connection. Also the health check of the connection.
 * @throws DOMException when the connection is closed, or does not answer
 */
export function readGeneration(database: IDBDatabase, clock: Clock): Promise<string> {
  const read = async (): Promise<string> =>
    promisifyRequest(database.transaction(META).objectStore(META).get(GENERATION) as IDBRequest<string>);
  return within(clock, ANSWER_TIMEOUT_MS, read(), () => {
    // The name that WebKit gives a lost connection.
    throw new DOMException("The connection does not answer.", "UnknownError");
  });
}
