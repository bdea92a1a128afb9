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
  let greatest = 0;
  /** Raises the version floor above all entries. Resolves to false if there is no space even for that. */
  const raiseAboveAll = (): Promise<boolean> => {
    const raising = ports.database.run([ENTRIES, OUTBOX], "readwrite", async (transaction) => {
      greatest = Math.max(greatest, await greatestVersion(transaction));
      await raiseFloor(transaction, greatest);
    });
    return raising.then(
      () => true,
      () => false,
    );
  };
  const raisesFloor = await raiseAboveAll();
  // An entry that expired unconfirmed is put again, marked as expired: there may be no space for that.
  let freed = await sweep(ports, raisesFloor).catch(() => 0);
  let left = bytes;
  const free = async (rules: EvictRules): Promise<void> => {
    const excess = { entries: 0, bytes: left };
    const evicted = await evict(ports, excess, { ...rules, raisesFloor, bytesOf: ({ payload }) => payload.length + RECORD_BYTES });
    freed += evicted.entries;
    left -= evicted.bytes;
  };
  await free({ spared: new Set([...recentlyUsed, ...keys]), wholeGroups: true });
  await free({ spared: new Set(keys), wholeGroups: true });
  // Some of every group has to stay. A disk that is not that full still takes the write.
  if (freed === 0) await free({ spared: new Set(keys) });
  // The removals have made space for the floor. After a crash before this, an evicted key may get a version that it has had.
  if (!raisesFloor) await raiseAboveAll();
  return freed > 0;
}
