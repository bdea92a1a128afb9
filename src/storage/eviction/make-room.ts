import { greatestVersion } from "../entries/usage.ts";
import { raiseFloor } from "../entries/version-floor.ts";
import { ENTRIES, OUTBOX, RECORD_BYTES } from "../idb/schema.ts";
import { evict, type EvictPorts, type EvictRules } from "./evict.ts";
import { sweep, type SweepPorts } from "./sweeper.ts";

/**
 * Frees at least `bytes` on a full disk, if there is that much to evict.
 * @param keys the keys being written: they stay
 * @param recentlyUsed keys whose last use is not written. They go last: writing their uses takes space.
 * @returns whether anything was removed
 */
export async function makeRoom(
  ports: EvictPorts & SweepPorts,
  bytes: number,
  keys: readonly string[],
  recentlyUsed: Iterable<string>,
): Promise<boolean> {
  const greatest = await ports.database.run([ENTRIES], "readonly", greatestVersion);
  // An entry that expired unconfirmed is put again, marked as expired: there may be no space for that.
  let freed = await sweep(ports, true).catch(() => 0);
  let left = bytes;
  const free = async (rules: EvictRules): Promise<void> => {
    const excess = { entries: 0, bytes: left };
    const evicted = await evict(ports, excess, { ...rules, raisesFloor: false, bytesOf: ({ payload }) => payload.length + RECORD_BYTES });
    freed += evicted.entries;
    left -= evicted.bytes;
  };
  await free({ spared: new Set([...recentlyUsed, ...keys]), wholeGroups: true });
  await free({ spared: new Set(keys), wholeGroups: true });
  // Some of every group has to stay. A disk that is not that full still takes the write.
  if (freed === 0) await free({ spared: new Set(keys) });
  // Not before the removals: Firefox needs the last space to remove. After a crash before this, an evicted key may get a version that it has had.
  if (freed > 0) {
    await ports.database.run([OUTBOX], "readwrite", (transaction) => raiseFloor(transaction, greatest)).catch(() => undefined);
  }
  return freed > 0;
}
