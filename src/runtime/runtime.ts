import type { Emit } from "../model/events.ts";
import type { CheckedOptions } from "../options/checked-options.ts";
import { CoherentCache } from "../read/coherent-cache.ts";
import { ExpiredKeys } from "../read/expired-keys.ts";
import { Reader } from "../read/reader.ts";
import type { Watches } from "../read/watches.ts";
import { find } from "../storage/entries/find.ts";
import { databaseName, ENTRIES } from "../storage/idb/schema.ts";
import { systemClock, type Clock } from "../util/clock.ts";
import { LazyPart } from "../util/lazy-part.ts";
import { joinPage, type Pages, type PageStore } from "./page.ts";
import type { WriteSide } from "./write-side.ts";

/** The write side loads while the page starts. */
export const writeSidePart = new LazyPart(() => import("./write-side.ts"));

export type Runtime = ReturnType<typeof openRuntime>;

/**
 * Builds and connects the parts of a store, and starts its background work. The parts that answer reads exist at once; the write side
 * loads meanwhile. Must throw nothing outside a browser.
 * @param pages given by tests, which have several tabs in one page
 */
export function openRuntime(options: CheckedOptions, emit: Emit, clock: Clock = systemClock, pages?: Pages) {
  /** Undefined until it has loaded. */
  let writeSide: WriteSide | undefined;
  let opening: Promise<WriteSide> | undefined;
  let isClosing = false;
  /** Keys that were read before the write side had loaded. */
  const earlyUses = new Set<string>();

  const cache = new CoherentCache(options.cacheSize);
  const expired = new ExpiredKeys((keys, now) => {
    page.emit(keys.map((key) => ({ source: "local", type: "expire", key })));
    // Off the path of the call. A row that cannot be removed now is absent all the same.
    loadWriteSide()
      .then(({ housekeeping }) => housekeeping.removeExpired(keys, now))
      .catch(() => undefined);
  });
  const store: PageStore = { cache, expired, emit, settings: options };
  const page = joinPage(store, databaseName(options.namespace), clock, pages);
  const reader = new Reader({
    clock,
    cache,
    expired,
    emit,
    readEncoded: async (key, row) => (await loadWriteSide()).readEncoded(key, row),
    check: (...read) => {
      if (options.schemas === undefined) return read[2];
      return writeSide?.check(...read) ?? loadWriteSide().then(({ check }) => check(...read));
    },
    onUse: (key, now) => (writeSide === undefined ? void earlyUses.add(key) : writeSide.uses.note(key, now)),
    readRows: (keys) => page.database.run([ENTRIES], "readonly", async (transaction) => (await find(transaction, keys)).rows),
  });

  async function openWriteSide(): Promise<WriteSide> {
    const part = await writeSidePart.load();
    writeSide = part.openWriteSide({ options, clock, page, store, reader, earlyUses });
    earlyUses.clear();
    // Outside a browser, background work would keep a server's process alive.
    if (page.inBrowser && !isClosing) writeSide.start();
    return writeSide;
  }

  function loadWriteSide(): Promise<WriteSide> {
    opening ??= openWriteSide().catch((error: unknown) => {
      opening = undefined;
      throw error;
    });
    return opening;
  }

  if (page.inBrowser) loadWriteSide().catch(() => undefined);

  return {
    reader,
    /** Works with the watches of the page, of which this store owns some, as soon as they are there. */
    withWatches: (work: (watches: Watches, owner: PageStore) => void) => page.whenLate(({ watches }) => work(watches, store)),
    /** Ends the watches of the store, and before long its waits for encryption keys. `closing` settles when it is closed. */
    beginClose: (closing: Promise<void>) => page.whenLate((late) => late.beginClose(store, closing)),
    cacheStats: () => cache.stats(clock.now()),
    /**
     * The parts that write, publish and clean up.
     * @throws KeyStoreError STORAGE_UNAVAILABLE when they cannot be loaded. The next call tries again, in vain until a reload
     * where the browser remembers failed imports (older than 2026: whatwg/html#6768)
     */
    writeSide: loadWriteSide,
    loaded: () => writeSide,
    /** Releases everything that no other store of the page uses. Operations under way must have ended. */
    async close(): Promise<void> {
      isClosing = true;
      await (await opening?.catch(() => undefined))?.close();
      page.leave(store);
    },
  };
}
