import { randomId } from "../util/random-id.ts";
import type { Emit } from "../model/events.ts";
import { loaded } from "../util/load.ts";
import type { Settings } from "../options/options.ts";
import { followPage } from "./page-lifecycle.ts";
import { Reader } from "../read/reader.ts";
import { Database, hasIndexedDB } from "../storage/idb/database.ts";
import { MemoryCache } from "../read/memory-cache.ts";
import { Channel } from "../tabs/channel.ts";
import type { WriteSide } from "./write-side.ts";

/** What loads while the page starts. `nas-keystore/eager` brings it along and puts it in here. */
export const parts: { writeSide: () => Promise<Pick<typeof import("./write-side.ts"), "openWriteSide">> } = {
  writeSide: () => loaded(import("./write-side.ts")),
};

export type Runtime = ReturnType<typeof openRuntime>;

export function databaseName(namespace: string): string {
  return `nas-keystore/${namespace}`;
}

/**
 * Builds and connects the parts of a store, and starts its background work. The parts that answer reads are there at once; the
 * parts that write and publish load meanwhile. Must throw nothing outside a browser.
 */
export function openRuntime(settings: Settings, emit: Emit) {
  const name = databaseName(settings.namespace);
  const inBrowser = hasIndexedDB();
  /** Once it is there. */
  let writeSide: WriteSide | undefined;
  let opening: Promise<WriteSide> | undefined;
  let isClosing = false;
  /** In the back/forward cache, or on its way there. */
  let isHidden = false;

  const memory = new MemoryCache(settings.cacheSize);
  const database = new Database(name, {
    onLost: () => reader.forgetAll(),
    onReset: (reason) => {
      reader.forgetAll();
      writeSide?.reset();
      emit("reset", { reason });
    },
  });
  /** Keys that were read before the write side was there. */
  const earlyUses = new Set<string>();
  const reader = new Reader({
    database,
    memory,
    emit,
    onUse: (key, now) => {
      if (writeSide === undefined) earlyUses.add(key);
      else writeSide.noteUse(key, now);
    },
    removeExpired: async (keys, now) => (await loadedWriteSide()).removeExpired(keys, now),
  });
  const channel = new Channel(name, (notice) => {
    switch (notice.type) {
      case "written":
      case "dropped":
        for (const key of notice.keys) reader.forget(key);
        break;
      case "cleared":
        reader.forgetAll();
        break;
      case "settled":
        // Who publishes a dead tab's write is the first to tell of it, perhaps.
        reader.forgetOlder(notice);
        break;
      case "hello":
    }
    writeSide?.hear(notice);
  });

  const front = { settings, emit, name, instanceId: randomId(), inBrowser, database, memory, reader, earlyUses, channel };
  const load = async (): Promise<WriteSide> => {
    const part = await parts.writeSide();
    writeSide = part.openWriteSide(front);
    earlyUses.clear();
    // Outside a browser there is nothing to do in the background, and nothing to keep a server's process alive for.
    if (inBrowser && !isClosing) {
      if (!isHidden) writeSide.appear();
      writeSide.housekeeping.startSweeping(`${name}/sweep`, settings.sweepIntervalMs);
    }
    return writeSide;
  };
  const loadedWriteSide = (): Promise<WriteSide> => {
    opening ??= load().catch((error: unknown) => {
      opening = undefined;
      throw error;
    });
    return opening;
  };

  let unfollow = (): void => undefined;
  if (inBrowser) {
    channel.open();
    loadedWriteSide().catch(() => undefined);
    unfollow = followPage({
      onWake: () => writeSide?.wake(),
      onOffline: () => writeSide?.browserOffline(),
      onHide: () => {
        isHidden = true;
        channel.close();
        writeSide?.disappear();
        database.release();
      },
      onReturn: () => {
        isHidden = false;
        reader.forgetAll();
        channel.open();
        writeSide?.appear();
      },
    });
  }

  return {
    reader,
    memory,
    channel,
    /**
     * What writes, publishes and cleans up.
     * @throws KeyStoreError STORAGE_UNAVAILABLE when it cannot be loaded; the next call asks again, in vain until a reload
     * where the browser remembers failed imports (older than 2026: whatwg/html#6768)
     */
    writeSide: loadedWriteSide,
    /** Lets go of everything. Operations under way must have ended. */
    async close(): Promise<void> {
      isClosing = true;
      unfollow();
      await (await opening?.catch(() => undefined))?.close();
      channel.close();
      database.close();
    },
  };
}
