import type { CacheStats, StorageStats } from "nas-keystore";
import { define, find } from "./dom.ts";
import { formatBytes } from "./format.ts";

/** The figures of the memory cache and of IndexedDB. */
export class Figures {
  readonly #cache = find("cache-figures", HTMLDListElement);
  readonly #storage = find("storage-figures", HTMLDListElement);

  constructor() {
    this.show({ size: 0, maxSize: 0, memoryUsage: 0, hits: 0, misses: 0, evictions: 0, keys: [] }, undefined);
  }

  show(cache: CacheStats, storage: StorageStats | undefined): void {
    define(this.#cache, [
      ["Entries", `${cache.size} of ${cache.maxSize}`],
      ["Payloads", formatBytes(cache.memoryUsage)],
      ["Hits", String(cache.hits)],
      ["Misses", String(cache.misses)],
      ["Evictions", String(cache.evictions)],
    ]);
    define(this.#storage, [
      ["Entries", String(storage?.entries ?? "–")],
      ["Payloads", bytes(storage?.bytes)],
      ["Pending", String(storage?.pendingWrites ?? "–")],
      ["Rejected", String(storage?.rejectedWrites ?? "–")],
      ["Site usage", bytes(storage?.usageBytes)],
      ["Site quota", bytes(storage?.quotaBytes)],
    ]);
  }
}

function bytes(size: number | undefined): string {
  return size === undefined ? "–" : formatBytes(size);
}
