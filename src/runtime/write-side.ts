import { Dispatcher } from "../relay/dispatcher.ts";
import { setSmallSha256 } from "../values/checksum.ts";
import { isTombstone } from "../model/row.ts";
import { smallSha256 } from "../values/small-sha256.ts";
import type { Emit } from "../model/events.ts";
import { Housekeeping } from "./housekeeping.ts";
import { Inspector } from "../read/inspector.ts";
import { dial } from "../network/connection.ts";
import { Relay } from "../relay/relay.ts";
import { SharedConnection, type Health } from "../network/shared-connection.ts";
import { Publisher } from "../network/publisher.ts";
import type { Settings } from "../options/options.ts";
import type { Reader } from "../read/reader.ts";
import { batches } from "../util/batches.ts";
import { Committer } from "../storage/commit/committer.ts";
import type { Database } from "../storage/idb/database.ts";
import { Evictor } from "../storage/eviction/evictor.ts";
import type { MemoryCache } from "../read/memory-cache.ts";
import { EXPIRED_BATCH, removeExpired, type SweepPorts } from "../storage/eviction/sweeper.ts";
import { UseLog } from "../storage/eviction/use-log.ts";
import type { Channel, Notice } from "../tabs/channel.ts";
import { exclusively, Liveness } from "../tabs/leadership.ts";
import { Writer } from "../write/writer.ts";

/** An attempt to connect in the background may take longer: browsers hold handshakes back after failures. */
const DIAL_TIMEOUT_MS = 6_000;

/** Another tab may be evicting much. */
const EVICTION_WAIT_MS = 10_000;

/** What the write side works with: the parts that are there from the start. */
export interface Front {
  readonly settings: Settings;
  readonly emit: Emit;
  /** Of the database, and the beginning of the names of locks. */
  readonly name: string;
  /** Names this store among all that ever write to the database. */
  readonly instanceId: string;
  readonly inBrowser: boolean;
  readonly database: Database;
  readonly memory: MemoryCache;
  readonly reader: Reader;
  /** Keys that were read before the write side was there. */
  readonly earlyUses: Iterable<string>;
  readonly channel: Channel;
}

export type WriteSide = ReturnType<typeof openWriteSide>;

/** Builds and connects everything that commits, publishes and cleans up. */
export function openWriteSide(front: Front) {
  const { settings, emit, name, instanceId, inBrowser, database, memory, reader, earlyUses, channel } = front;
  const { namespace, timeoutMs, lingerMs, maxEntries, maxBytes, servers, connection, connect } = settings;
  let serverMaxBytes = Infinity;
  setSmallSha256(smallSha256);
  const uses = new UseLog();

  const committer = new Committer(database, {
    instanceId,
    mayPublish: () => !relay.isOffline,
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
      channel.post({ type: "written", instanceId, keys: commits.map(({ draft }) => draft.key) });
      evictor.grew(grew);
    },
    isInMemory: (key) => memory.rowOf(key) !== undefined,
    makeRoom: (bytes, keys) => evictor.makeRoom(bytes, keys),
  });
  const stateOf: SweepPorts["stateOf"] = (transaction, id) => committer.stateOf(transaction, id);
  const drop = (keys: readonly string[]): void => {
    for (const key of keys) reader.forget(key);
    channel.post({ type: "dropped", keys });
  };
  const sweepPorts: SweepPorts = { stateOf, onExpired: drop };
  const evictor = new Evictor(database, uses, {
    ...sweepPorts,
    maxEntries,
    maxBytes,
    onEvicted: drop,
    alone: (work) => exclusively(`${name}/evict`, work, EVICTION_WAIT_MS),
  });

  for (const key of earlyUses) evictor.noteUse(key);

  const health: Health = {
    connected: ({ maxPayloadBytes }) => {
      serverMaxBytes = maxPayloadBytes;
      relay.connected();
    },
    unreachable: (error) => relay.failed(error, true),
    broken: (error) => relay.failed(error, false),
    worked: () => relay.worked(),
  };
  const sharedConnection = new SharedConnection(
    () => dial({ servers, connection, connect, timeoutMs: Math.max(timeoutMs, DIAL_TIMEOUT_MS) }),
    health,
    {
      timeoutMs,
      lingerMs,
    },
  );
  const publisher = new Publisher(sharedConnection, health, timeoutMs);
  const dispatcher = new Dispatcher(database, committer, () => relay, {
    namespace,
    instanceId,
    timeoutMs,
    drainLock: `${name}/drain`,
    livingInstances: () => liveness.living(),
    emit,
    publish: (messages) => publisher.publish(messages),
    onSettled: (writes) => {
      // What it published for another tab may be newer than what memory has.
      reader.forgetOlder(writes);
      channel.post({ type: "settled", ...writes });
      if (writes.confirmed) evictor.unstick();
    },
    onGivenUp: () => evictor.unstick(),
  });
  const relay = new Relay(dispatcher, {
    background: inBrowser,
    loopback: servers.every(isLoopback),
    timeoutMs,
    publish: (messages) => publisher.publish(messages),
    onOffline: (error, pending) => emit("offline", { error, pending }),
    onOnline: (pending) => emit("online", { pending }),
  });

  const liveness = new Liveness(`${name}/alive/`, instanceId, {
    onBegun: () => channel.post({ type: "hello", instanceId }),
    onDeath: () => {
      // What it told last may have died with it, and what it left is to be published.
      reader.forgetAll();
      relay.kick();
    },
  });
  let askToPersist = settings.persist;
  const writer = new Writer(settings, {
    committer,
    dispatcher,
    connectAhead: () => {
      if (askToPersist) void persist();
      askToPersist = false;
      return !inBrowser || relay.isOffline ? () => undefined : sharedConnection.acquire().release;
    },
    maxMessageBytes: () => Math.min(settings.maxPayloadBytes, serverMaxBytes),
    useTime: () => uses.now(),
    formatOf: (key) => inspector.formatOf(key),
  });
  const housekeeping = new Housekeeping(database, committer, evictor, sweepPorts);
  const inspector = new Inspector(database, committer, reader);

  return {
    writer,
    dispatcher,
    relay,
    publisher,
    housekeeping,
    inspector,
    /** Removes expired entries. Resolves to false when some may be left. */
    async removeExpired(keys: readonly string[], now: number): Promise<boolean> {
      let isDone = true;
      for (const batch of batches(keys, EXPIRED_BATCH)) {
        let removed = 0;
        const remove = async (transaction: IDBTransaction): Promise<void> => {
          removed = await removeExpired(transaction, stateOf, batch, now);
        };
        await committer.defer(remove, () => (isDone = false));
        if (removed > 0) evictor.forgetCount();
      }
      return isDone;
    },
    noteUse: (key: string, now: number): void => evictor.noteUse(key, now),
    /** Handles a notice of another tab. */
    hear(notice: Notice): void {
      switch (notice.type) {
        case "hello":
          return liveness.watch(notice.instanceId);
        case "written":
          liveness.watch(notice.instanceId);
          return evictor.forgetCount();
        case "dropped":
        case "cleared":
          return evictor.forgetCount();
        case "settled":
          if (notice.confirmed) relay.reachedElsewhere();
          return dispatcher.onSettledElsewhere(notice);
      }
    },
    /** The database was deleted and made anew. */
    reset(): void {
      committer.reset();
      evictor.remeasure();
    },
    /** The page is shown, for the first time or again. */
    appear(): void {
      void liveness.begin().catch(() => undefined);
      relay.wake();
      evictor.remeasure();
    },
    /** The page is hidden for good, or goes into the back/forward cache. */
    disappear(): void {
      liveness.end();
      void sharedConnection.close();
    },
    wake: (): void => relay.wake(),
    browserOffline: (): void => relay.browserOffline(),
    /** Ends all background work and connections. Operations under way must have ended. */
    async close(): Promise<void> {
      await housekeeping.stopSweeping();
      await relay.stop();
      await dispatcher.idle();
      await committer.settled();
      await evictor.settled();
      await evictor.writeUses().catch(() => undefined);
      await sharedConnection.close();
      liveness.end();
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
