import { promisifyRequest } from "idb-keyval";

import { isCount } from "../../util/count.ts";
import { OUTBOX } from "../idb/schema.ts";

/** Its key in the table OUTBOX, which every transaction that adds or removes rows holds. META has to stay free for health checks. */
const FLOOR = "version floor";

/** A damaged row may claim any version. With a greater floor, the versions of later writes would not be safe integers. */
const MAX_FLOOR = 2 ** 52;

/**
 * The version floor: at least the version of every row that was ever removed from this database; 0 in a new one. A key without a row
 * continues above it, so that the versions of a key never go back.
 */
export async function readFloor(transaction: IDBTransaction): Promise<number> {
  const floor: unknown = await promisifyRequest(transaction.objectStore(OUTBOX).get(FLOOR));
  return isCount(floor) ? Math.min(floor, MAX_FLOOR) : 0;
}

/** Must run in each transaction that removes rows. @param version at least the greatest version that it removes; 0 if it removes none */
export async function raiseFloor(transaction: IDBTransaction, version: number): Promise<void> {
  if (version > 0 && version > (await readFloor(transaction))) transaction.objectStore(OUTBOX).put(version, FLOOR);
}
