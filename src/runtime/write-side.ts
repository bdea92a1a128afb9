import type { LocalChange } from "../model/change.ts";
import type { Emit } from "../model/events.ts";
import { isTombstone } from "../model/row.ts";
import { connectToNats } from "../network/connect.ts";
import { isLoopback } from "../network/loopback.ts";
import { NatsTransport } from "../network/nats-transport.ts";
import type { Settings } from "../options/defaults.ts";
import { Catalog } from "../read/catalog.ts";
import type { CoherentCache } from "../read/coherent-cache.ts";
import type { ExpiredKeys } from "../read/expired-keys.ts";
import type { Reader } from "../read/reader.ts";
import { Committer } from "../storage/commit/committer.ts";
import type { Commit } from "../storage/commit/draft.ts";
import { Evictor } from "../storage/eviction/evictor.ts";
import { isLimited } from "../storage/eviction/limits.ts";
import type { SweepPorts } from "../storage/eviction/sweeper.ts";
import { Uses } from "../storage/eviction/uses.ts";
import { Watchdog } from "../storage/idb/watchdog.ts";
import type { Database } from "../storage/idb/database.ts";
import type { Channel } from "../tabs/channel.ts";
import { toldChanges, type TabMessage } from "../tabs/messages.ts";
import { Liveness } from "../tabs/liveness.ts";
import { exclusively } from "../tabs/locks.ts";
import type { Clock } from "../util/clock.ts";
import { smallHash } from "../values/sha256.ts";
import { smallSha256 } from "../values/small-sha256.ts";
import { BulkWriter } from "../write/bulk-writer.ts";
import { DraftBuilder } from "../write/draft-builder.ts";
import { KeyQueue } from "../write/key-queue.ts";
import { Writer } from "../write/writer.ts";
import type { ChangeFeed } from "./change-feed.ts";
import { Housekeeping } from "./housekeeping.ts";
import { persistOnce } from "./persistence.ts";
import { openPublishing } from "./publishing.ts";
import { followWakeEvents } from "./wake-events.ts";

export { deleteDatabase } from "../storage/idb/delete-database.ts";

/** An attempt to connect in the background may take longer than a call: browsers delay handshakes after failures. */
const CONNECT_TIMEOUT_MS = 6_000;

/** The parts of a store that exist before the write side has loaded. */
export interface WriteSidePorts {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly emit: Emit;
  /** The name of the database. The names of locks begin with it. */
  readonly name: string;
  readonly instanceId: string;
  readonly inBrowser: boolean;
  readonly feed: ChangeFeed;
  readonly cache: CoherentCache;
  readonly expired: ExpiredKeys;
  readonly database: Database;
  readonly reader: Reader;
  readonly channel: Pick<Channel, "post">;
  readonly earlyUses: Iterable<string>;
}

export type WriteSide = ReturnType<typeof openWriteSide>;

/** Builds and connects the parts that commit, publish and clean up. */
export function openWriteSide(ports: WriteSidePorts) {
  const { settings, clock, emit, name, instanceId, inBrowser, channel, feed, cache, expired, database, reader } = ports;
  const { namespace, timeoutMs, lingerMs, servers, connection, connect } = settings;
  let isPageEnding = false;
  const watchdog = new Watchdog(clock);
  database.watch = watchdog.watch;
  smallHash.loaded = smallSha256;

  const queue = new KeyQueue();
  const writesCommitted = queue.committed;
  const committer = new Committer(database, {
    instanceId,
    clock,
    mayPublish: () => commitPublisher.mayPublish,
    onBegin: (keys) => cache.beginCommit(keys),
    onCommitted: (commits) => {
      // The messages leave first: the receivers of changes do not delay them.
      commitPublisher.publish(commits);
      feed.emit(commits.map(changeOf));
    },
    isInMemory: (key) => cache.versionOf(key) !== undefined,
    makeRoom: (bytes, keys) => evictor.makeRoom(bytes, keys),
    isPageEnding: () => isPageEnding,
  });

  const emitRemoval = (type: "expire" | "evict") => (keys: readonly string[]) =>
    feed.emit(keys.map((key) => ({ source: "local", type, key })));
  const uses = new Uses({ database, clock, isLimited: isLimited(settings) });
  for (const key of ports.earlyUses) uses.note(key);
  const sweepPorts: SweepPorts = {
    database,
    clock,
    stateOf: (transaction, id) => committer.stateOf(transaction, id),
    onExpired: emitRemoval("expire"),
  };
  const evictor = new Evictor({
    ...sweepPorts,
    maxEntries: settings.maxEntries,
    maxBytes: settings.maxBytes,
    uses,
    onEvicted: emitRemoval("evict"),
    alone: (work) => exclusively(`${name}/evict`, work, clock),
  });
  feed.subscribe((changes) => {
    const told = toldChanges(changes);
    if (told.length > 0) channel.post({ type: "changes", instanceId, changes: told });
  });
  feed.subscribe((changes) => evictor.apply(changes));

  const publishing = openPublishing({
    clock,
    emit,
    namespace,
    instanceId,
    database,
    committer,
    timeoutMs,
    inBackground: inBrowser,
    isLoopback: servers.every(isLoopback),
    alone: (work, signal) => exclusively(`${name}/drain`, work, clock, signal),
    livingInstances: () => liveness.living(),
    openTransport: (listener) => {
      const connectTimeoutMs = Math.max(timeoutMs, CONNECT_TIMEOUT_MS);
      const open = () => connectToNats({ clock, servers, connection, connect, timeoutMs: connectTimeoutMs });
      return new NatsTransport(open, listener, { clock, timeoutMs, lingerMs });
    },
    onSettled: (writes) => {
      // A write that was published for another tab may be newer than the memory of this one.
      cache.dropOlder(writes.keys, writes.versions);
      channel.post({ type: "settled", ...writes });
      if (writes.confirmed) evictor.unstick();
    },
    onDiscarded: () => evictor.unstick(),
    writesCommitted,
  });
  const { commitPublisher, outbox, relay, reachability, transport } = publishing;

  const liveness = new Liveness(`${name}/alive/`, instanceId, {
    onBegun: () => channel.post({ type: "hello", instanceId }),
    onDeath: () => {
      // The last messages of the dead tab may be lost, and its writes are to be published.
      cache.clear();
      relay.kick();
    },
  });

  const catalog = new Catalog({ clock, database, committer, writesCommitted, reader, expired, countWrites: () => outbox.count() });
  const persist = settings.persist ? persistOnce() : () => undefined;
  const writerPorts = {
    drafts: new DraftBuilder({
      settings,
      maxMessageBytes: () => Math.min(settings.maxPayloadBytes, transport.maxMessageBytes),
      useTime: () => uses.now(),
    }),
    queue,
    committer,
    publisher: commitPublisher,
    connectAhead: () => {
      persist();
      return inBrowser ? commitPublisher.connectAhead() : () => undefined;
    },
    formatOf: (key: string) => catalog.formatOf(key),
  };
  const housekeeping = new Housekeeping({
    ...sweepPorts,
    clock,
    committer,
    evictor,
    expired,
    queue,
    uses,
    emit: (changes) => feed.emit(changes),
    sweepLock: `${name}/sweep`,
    sweepIntervalMs: settings.sweepIntervalMs,
  });

  const wakeListener = {
    onWake: () => relay.wake(),
    onOffline: () => reachability.browserOffline(),
    onLeave: () => {
      isPageEnding = true;
      void transport.close();
    },
  };
  const unfollow = inBrowser ? followWakeEvents(wakeListener) : () => undefined;

  return {
    writer: new Writer(writerPorts),
    bulkWriter: new BulkWriter(writerPorts),
    writesCommitted,
    catalog,
    housekeeping,
    outbox,
    transport,
    async flush(): Promise<{ published: number; pending: number; rejected: number }> {
      await writesCommitted();
      const { published } = await relay.flush();
      return { published, ...(await outbox.count()) };
    },
    uses,
    onTabMessage(message: TabMessage): void {
      switch (message.type) {
        case "hello":
          return liveness.watch(message.instanceId);
        case "changes":
          liveness.watch(message.instanceId);
          return feed.emit(message.changes.map((change) => ({ source: "tab", ...change })));
        case "settled":
          // A tab that publishes a dead tab's write may be the first to report it.
          cache.dropOlder(message.keys, message.versions);
          return publishing.settledElsewhere(message);
        case "foreign":
          cache.clear();
          evictor.forgetCount();
          // The message may announce a store, in words that this version does not know.
          void liveness.watchAll().catch(() => undefined);
          return relay.kick();
      }
    },
    /** The database was deleted and created again. */
    reset(): void {
      committer.reset();
      evictor.remeasure();
    },
    /** The page is shown, for the first time or again. */
    appear(): void {
      isPageEnding = false;
      void liveness.begin().catch(() => undefined);
      relay.wake();
      evictor.remeasure();
    },
    /** The page enters the back/forward cache, which takes no page that holds a lock. */
    disappear(): void {
      liveness.end();
    },
    /** Ends all background work and connections. Operations under way must have ended. */
    async close(): Promise<void> {
      unfollow();
      await housekeeping.stopSweeping();
      await publishing.stop();
      await committer.close();
      await evictor.settled();
      await uses.write().catch(() => undefined);
      await transport.close();
      liveness.end();
      watchdog.stop();
    },
  };
}

function changeOf({ draft: { key, payload }, row, grew }: Commit): LocalChange {
  const { version } = row;
  if (payload === undefined || isTombstone(row)) return { source: "local", type: "delete", key, version, grew };
  return { source: "local", type: "store", key, version, entry: { row, payload }, grew };
}
