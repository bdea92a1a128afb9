import type { CoherentCache } from "./coherent-cache.ts";

/**
 * The keys have these versions, whoever wrote them: removes older ones from memory, and keeps them from entering.
 * @returns whether memory had an older one
 */
export function dropOlder(cache: CoherentCache, writes: readonly { readonly key: string; readonly version: number }[]): boolean {
  let wasOlder = false;
  for (const { key, version } of writes) {
    if ((cache.versionOf(key) ?? version) < version) {
      wasOlder = true;
      cache.delete(key);
    }
    for (const arrival of cache.arrivals(key)) {
      if (arrival !== undefined) arrival.newest = Math.max(arrival.newest, version);
    }
  }
  return wasOlder;
}
