import type { Emit } from "../model/events.ts";
import type { Settings } from "../options/defaults.ts";
import { CoherentCache } from "../read/coherent-cache.ts";
import { ExpiredKeys } from "../read/expired-keys.ts";
import { Reader } from "../read/reader.ts";
import { find } from "../storage/entries/find.ts";
import { Database } from "../storage/idb/database.ts";
import { hasIndexedDB } from "../storage/idb/open.ts";
import { ENTRIES } from "../storage/idb/schema.ts";
import { Channel } from "../tabs/channel.ts";
import { systemClock, type Clock } from "../util/clock.ts";
import { LazyPart } from "../util/lazy-part.ts";
import { randomId } from "../util/random-id.ts";
import { ChangeFeed } from "./change-feed.ts";
import { followPage } from "./page-lifecycle.ts";
import type { WriteSide } from "./write-side.ts";

/** The write side loads while the page starts. */
export const writeSidePart = new LazyPart(() => import("./write-side.ts"));

export type Runtime = ReturnType<typeof openRuntime>;

export function databaseName(namespace: string): string {
  return `nas-keystore/${namespace}`;
}

/**
 * Builds and connects the parts of a store, and starts its background work. The parts that answer reads exist at once; the write side
 * loads meanwhile. Must throw nothing outside a browser.
 */
export function openRuntime(settings: Settings, emit: Emit, clock: Clock = systemClock) {
  const name = databaseName(settings.namespace);
  const instanceId = randomId();
  const inBrowser = hasIndexedDB();
  /** Undefined until it has loaded. */
  let writeSide: WriteSide | undefined;
  let opening: Promise<WriteSide> | undefined;
  let isClosing = false;
  /** The page is in the back/forward cache, or about to enter it. */
  let isHidden = false;
  /** Keys that were read before the write side had loaded. */
  const earlyUses = new Set<string>();

  const feed = new ChangeFeed();
  const cache = new CoherentCache(settings.cacheSize);
  const expired = new ExpiredKeys((keys, now) => {
    feed.emit(keys.map((key) => ({ source: "local", type: "expire", key })));
    // Off the path of the call. A row that cannot be removed now is absent all the same.
    loadWriteSide()
      .then(({ housekeeping }) => housekeeping.removeExpired(keys, now))
      .catch(() => undefined);
  });
  const database = new Database(name, {
    clock,
    onLost: () => cache.clear(),
    onReset: (reason) => {
      cache.clear();
      writeSide?.reset();
      emit("reset", { reason });
    },
  });
  const reader = new Reader({
    clock,
    cache,
    expired,
    emit,
    onUse: (key, now) => (writeSide === undefined ? void earlyUses.add(key) : writeSide.uses.note(key, now)),
    readRows: (keys) => database.run([ENTRIES], "readonly", async (transaction) => (await find(transaction, keys)).rows),
  });
  // In this order. The write side adds the other tabs and the eviction accounting.
  feed.subscribe((changes) => expired.apply(changes));
  feed.subscribe((changes) => cache.apply(changes));

  const channel = new Channel(name, (message) => {
    if (writeSide === undefined) cache.clear();
    else writeSide.onTabMessage(message);
  });

  async function openWriteSide(): Promise<WriteSide> {
    const part = await writeSidePart.load();
    const parts = { settings, clock, emit, name, instanceId, inBrowser, feed, cache, expired, database, reader, channel, earlyUses };
    writeSide = part.openWriteSide(parts);
    earlyUses.clear();
    // Outside a browser, background work would keep a server's process alive.
    if (inBrowser && !isClosing) {
      if (!isHidden) writeSide.appear();
      writeSide.housekeeping.startSweeping();
    }
    return writeSide;
  }

  function loadWriteSide(): Promise<WriteSide> {
    opening ??= openWriteSide().catch((error: unknown) => {
      opening = undefined;
      throw error;
    });
    return opening;
  }

  let unfollow = (): void => undefined;
  if (inBrowser) {
    channel.open();
    loadWriteSide().catch(() => undefined);
    unfollow = followPage({
      onHide: () => {
        isHidden = true;
        channel.close();
        writeSide?.disappear();
        database.release();
      },
      onReturn: () => {
        isHidden = false;
        cache.clear();
        channel.open();
        writeSide?.appear();
      },
    });
  }

  return {
    reader,
    cacheStats: () => cache.stats(clock.now()),
    /**
     * The parts that write, publish and clean up.
     * @throws KeyStoreError STORAGE_UNAVAILABLE when they cannot be loaded. The next call tries again, in vain until a reload
     * where the browser remembers failed imports (older than 2026: whatwg/html#6768)
     */
    writeSide: loadWriteSide,
    /** Releases everything. Operations under way must have ended. */
    async close(): Promise<void> {
      isClosing = true;
      unfollow();
      await (await opening?.catch(() => undefined))?.close();
      channel.close();
      database.close();
    },
  };
}
