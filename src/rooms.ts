import { Dispatcher } from "./dispatcher.ts";
import { randomId } from "./entry/random-id.ts";
import { isTombstone } from "./entry/row.ts";
import type { Emit } from "./events.ts";
import { Housekeeping } from "./housekeeping.ts";
import { dial } from "./network/connection.ts";
import { Courier } from "./network/courier.ts";
import { Lease, type Health } from "./network/lease.ts";
import { Publisher } from "./network/publisher.ts";
import type { Settings } from "./options.ts";
import { followPage } from "./page-lifecycle.ts";
import { Reader } from "./reader.ts";
import { Committer } from "./storage/committer.ts";
import { Database, hasIndexedDB } from "./storage/database.ts";
import { EntryTable } from "./storage/entry-table.ts";
import { Evictor } from "./storage/evictor.ts";
import { MemoryCache } from "./storage/memory-cache.ts";
import type { SweepPorts } from "./storage/sweeper.ts";
import { UseLog } from "./storage/use-log.ts";
import { Channel } from "./tabs/channel.ts";
import { exclusively, LifeSigns } from "./tabs/leadership.ts";
import { Writer } from "./writer.ts";

/** An attempt to connect in the background may take longer: browsers hold handshakes back after failures. */
const DIAL_TIMEOUT_MS = 6_000;

/** Another tab may be evicting much. */
const EVICTION_WAIT_MS = 10_000;

/** The parts of a store, wired. */
export interface Rooms {
  readonly reader: Reader;
  readonly writer: Writer;
  readonly memory: MemoryCache;
  readonly housekeeping: Housekeeping;
  readonly courier: Courier;
  readonly dispatcher: Dispatcher;
  readonly publisher: Publisher;
  readonly channel: Channel;
  /** Lets go of everything. Operations under way must have ended. */
  close(): Promise<void>;
}

export function databaseName(namespace: string): string {
  return `nas-keystore/${namespace}`;
}

/** Builds and connects the parts, and begins what goes on in the background. Must throw nothing outside a browser. */
export function openRooms(settings: Settings, emit: Emit): Rooms {
  const { namespace, timeoutMs, lingerMs } = settings;
  const name = databaseName(namespace);
  const owner = randomId();
  const inBrowser = hasIndexedDB();
  let serverMaxBytes = Infinity;

  const memory = new MemoryCache(settings.cacheSize);
  const database = new Database(name, {
    onLost: () => reader.forgetAll(),
    onReset: (reason) => {
      reader.forgetAll();
      committer.reset();
      evictor.remeasure();
      emit("reset", { reason });
    },
  });
  const entries = new EntryTable(database);
  const committer = new Committer(database, {
    owner,
    mayPublish: () => !courier.isOffline,
    onBegin: (keys) => reader.expect(keys),
    onCommitted: (commits) => {
      for (const { draft, row } of commits) {
        const { key, payload } = draft;
        reader.remember(key, payload === undefined || isTombstone(row) ? undefined : { row, payload });
      }
      const grew = {
        entries: commits.reduce((sum, commit) => sum + commit.grew.entries, 0),
        bytes: commits.reduce((sum, commit) => sum + commit.grew.bytes, 0),
      };
      // First on its way, then told.
      dispatcher.dispatch(commits);
      channel.post({ type: "written", owner, keys: commits.map(({ draft }) => draft.key) });
      evictor.grew(grew);
    },
    recall: (key) => memory.rowOf(key),
    makeRoom: (bytes) => evictor.makeRoom(bytes),
  });
  const uses = new UseLog();
  const drop = (keys: readonly string[]): void => {
    for (const key of keys) reader.forget(key);
    channel.post({ type: "dropped", keys });
  };
  const sweepPorts: SweepPorts = { stateOf: (transaction, id) => committer.stateOf(transaction, id), onExpired: drop };
  const { maxEntries, maxBytes } = settings;
  const evictor = new Evictor(database, uses, {
    ...sweepPorts,
    maxEntries,
    maxBytes,
    onEvicted: drop,
    alone: (work) => exclusively(`${name}/evict`, work, EVICTION_WAIT_MS),
  });
  const reader = new Reader({
    database,
    entries,
    committer,
    memory,
    emit,
    onUse: (key) => evictor.noteUse(key),
    onRemoved: () => evictor.forgetCount(),
  });

  const health: Health = {
    connected: ({ maxPayloadBytes }) => {
      serverMaxBytes = maxPayloadBytes;
      courier.connected();
    },
    unreachable: (error) => courier.failed(error, true),
    broken: (error) => courier.failed(error, false),
    worked: () => courier.worked(),
  };
  const { servers, connection, connect } = settings;
  const lease = new Lease(
    () => dial({ servers, connection, connect, timeoutMs: Math.max(timeoutMs, DIAL_TIMEOUT_MS) }),
    health,
    { timeoutMs, lingerMs },
  );
  const publisher = new Publisher(lease, health, timeoutMs);
  const dispatcher = new Dispatcher(database, committer, () => courier, {
    namespace,
    owner,
    timeoutMs,
    drainLock: `${name}/drain`,
    livingOwners: () => lifeSigns.living(),
    emit,
    publish: (messages) => publisher.publish(messages),
    onSettled: (writes) => {
      channel.post({ type: "settled", ...writes });
      if (writes.confirmed) evictor.unstick();
    },
    onGivenUp: () => evictor.unstick(),
  });
  const courier = new Courier(dispatcher, {
    background: inBrowser,
    loopback: servers.every(isLoopback),
    timeoutMs,
    publish: (messages) => publisher.publish(messages),
    onOffline: (error, pending) => emit("offline", { error, pending }),
    onOnline: (pending) => emit("online", { pending }),
  });

  const lifeSigns = new LifeSigns(`${name}/alive/`, owner, {
    onBegun: () => channel.post({ type: "hello", owner }),
    onDeath: () => {
      // What it told last may have died with it, and what it left is to be published.
      reader.forgetAll();
      courier.kick();
    },
  });
  let askToPersist = settings.persist;
  const writer = new Writer(settings, {
    committer,
    dispatcher,
    connectAhead: () => {
      if (askToPersist) void persist();
      askToPersist = false;
      return !inBrowser || courier.isOffline ? () => undefined : lease.share().release;
    },
    maxMessageBytes: () => Math.min(settings.maxPayloadBytes, serverMaxBytes),
    useTime: () => uses.now(),
    formatOf: (key) => reader.formatOf(key),
  });
  const channel = new Channel(name, (notice) => {
    switch (notice.type) {
      case "hello":
        return lifeSigns.watch(notice.owner);
      case "written":
        for (const key of notice.keys) reader.forget(key);
        evictor.forgetCount();
        lifeSigns.watch(notice.owner);
        return;
      case "dropped":
        for (const key of notice.keys) reader.forget(key);
        return evictor.forgetCount();
      case "cleared":
        reader.forgetAll();
        return evictor.forgetCount();
      case "settled":
        // Who publishes a dead tab's write is the first to tell of it, perhaps.
        notice.keys.forEach((key, index) => reader.forgetOlder(key, notice.versions[index] ?? 0));
        return dispatcher.onSettledElsewhere(notice);
    }
  });
  const housekeeping = new Housekeeping(database, entries, committer, evictor, sweepPorts);

  const appear = (): void => {
    channel.open();
    void lifeSigns.begin().catch(() => undefined);
    courier.kick();
    evictor.remeasure();
  };
  const disappear = (): void => {
    channel.close();
    lifeSigns.end();
    void lease.close();
    database.release();
  };
  let unfollow = (): void => undefined;
  // Outside a browser there is nothing to do in the background, and nothing to keep a server's process alive for.
  if (inBrowser) {
    appear();
    housekeeping.startSweeping(`${name}/sweep`, settings.sweepIntervalMs);
    unfollow = followPage({
      onWake: () => courier.kick(),
      onOffline: () => courier.browserOffline(),
      onHide: disappear,
      onReturn: () => {
        reader.forgetAll();
        appear();
      },
    });
  }

  return {
    reader,
    writer,
    memory,
    housekeeping,
    courier,
    dispatcher,
    publisher,
    channel,
    async close() {
      unfollow();
      await housekeeping.stopSweeping();
      await courier.stop();
      await dispatcher.idle();
      await committer.settled();
      await evictor.settled();
      await evictor.writeUses().catch(() => undefined);
      await lease.close();
      channel.close();
      lifeSigns.end();
      database.close();
    },
  };
}

/** The browser may refuse, or have nothing to ask. */
async function persist(): Promise<void> {
  try {
    await navigator.storage.persist();
  } catch {
    // Nothing changes.
  }
}

function isLoopback(server: string): boolean {
  const { hostname } = new URL(server);
  return /^(?:localhost|.*\.localhost|127(?:\.\d+){3}|\[::1\])$/i.test(hostname);
}
