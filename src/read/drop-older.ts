import type { CoherentCache } from "./coherent-cache.ts";

/**
 * Removes entries that are older than these published writes from memory, and keeps older ones from entering it.
 * @returns whether memory had an older entry
 */
export function dropOlder(cache: CoherentCache, writes: readonly { readonly key: string; readonly version: number }[]): boolean {
  let wasOlder = false;
  for (const { key, version } of writes) {
    if ((cache.held(key)?.version ?? version) < version) {
      wasOlder = true;
      cache.delete(key);
    }
    for (const arrival of cache.arrivals(key)) {
      if (arrival !== undefined) arrival.newest = Math.max(arrival.newest, version);
    }
  }
  return wasOlder;
}
