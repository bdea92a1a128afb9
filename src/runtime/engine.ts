import type { LocalChange } from "../model/change.ts";
import type { Emit } from "../model/events.ts";
import { isLoopback } from "../network/loopback.ts";
import type { PullState } from "../durable/pull.ts";
import type { Settings } from "../options/defaults.ts";
import type { OutboxDrainPorts } from "../relay/outbox-drain.ts";
import { Committer } from "../storage/commit/committer.ts";
import { Evictor } from "../storage/eviction/evictor.ts";
import { isLimited } from "../storage/eviction/limits.ts";
import type { SweepPorts } from "../storage/eviction/sweeper.ts";
import { Uses } from "../storage/eviction/uses.ts";
import type { SettledWrites } from "../tabs/messages.ts";
import type { inPageTurns } from "../tabs/locks.ts";
import { KeyQueue } from "../write/key-queue.ts";
import { changesOf } from "./changes-of.ts";
import { loadPulled } from "./durable-part.ts";
import { Housekeeping } from "./housekeeping.ts";
import { openTransport } from "./open-transport.ts";
import type { Page, PageStore } from "./page.ts";
import { openPublishing } from "./publishing.ts";

export interface EnginePorts extends Pick<OutboxDrainPorts, "instanceId" | "livingInstances"> {
  readonly page: Page;
  readonly settings: Settings;
  readonly isPageEnding: () => boolean;
  /** Does work under a lock: see `inPageTurns`. */
  readonly exclusively: ReturnType<typeof inPageTurns>;
  /** Called when the engine has settled writes. */
  readonly onSettled: (writes: SettledWrites) => void;
  /** Called when writes were discarded: their entries may be evicted from now on. */
  readonly onEvictable: () => void;
  /** Called when the engine has changed what the database holds. */
  readonly onChanged: () => void;
  /** Called when the engine has ended. */
  readonly onEnded: () => void;
}

export type Engine = ReturnType<typeof openEngine>;

/**
 * Builds and connects the parts that commit, publish and clean up, for all stores of a page whose settings allow it. One engine has one
 * instance id, one connection, one outbox drain and one record of whether the server can be reached.
 */
export function openEngine({ page, settings, ...ports }: EnginePorts) {
  const { name, clock, database, inBrowser } = page;
  const { namespace, timeoutMs, servers, durable } = settings;
  const stores = new Set<PageStore>();
  /** The stores that have joined and not left. */
  let users = 0;
  let isStarted = false;
  let isEnding = false;
  /** The reason of the last `offline` event, until the next `online` event. */
  let outage: Error | undefined;

  const emit: Emit = (type, detail) => {
    for (const store of stores) store.emit(type, detail);
  };
  const emitChanges = (changes: readonly LocalChange[]): void => {
    if (changes.some(({ type }) => type === "clear")) pulls.pulledTo = 0;
    page.emit(changes);
    evictor.apply(changes);
    ports.onChanged();
  };
  const emitRemoval = (type: "expire" | "evict") => (keys: readonly string[]) =>
    emitChanges(keys.map((key) => ({ source: "local", type, key })));

  const isInMemory = (key: string): boolean => {
    for (const { cache } of stores) if (cache.held(key) !== undefined) return true;
    return false;
  };

  const pulls: PullState = { pulledTo: 0, turn: Promise.resolve() };

  const queue = new KeyQueue();
  const committer = new Committer(database, {
    instanceId: ports.instanceId,
    clock,
    mayPublish: () => commitPublisher.mayPublish,
    onCommitted: (commits) => {
      // The messages leave first: the receivers of changes do not delay them.
      commitPublisher.publish(commits);
      emitChanges(changesOf(commits));
    },
    isInMemory,
    pulledTo: () => durable && pulls.pulledTo,
    makeRoom: (bytes, keys) => evictor.makeRoom(bytes, keys),
    isPageEnding: ports.isPageEnding,
  });
  const uses = new Uses({ database, clock, isLimited: isLimited(settings) });
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
    alone: (work) => ports.exclusively(`${name}/evict`, work),
  });
  const publishing = openPublishing({
    clock,
    emit: (type, detail) => {
      if (type === "offline") outage = (detail as { error: Error }).error;
      if (type === "online") outage = undefined;
      emit(type, detail);
    },
    namespace,
    instanceId: ports.instanceId,
    isDurable: durable !== undefined,
    database,
    committer,
    timeoutMs,
    inBackground: inBrowser,
    isLoopback: servers.every(isLoopback),
    alone: (work, signal) => ports.exclusively(`${name}/drain`, work, signal),
    livingInstances: ports.livingInstances,
    stores: () => Array.from(page.stores, (store) => store.settings),
    openTransport: (listener) => openTransport(settings, clock, listener),
    onSettled: ports.onSettled,
    onDiscarded: ports.onEvictable,
    writesCommitted: queue.committed,
  });
  const { commitPublisher, outbox, relay, reachability, transport } = publishing;
  const housekeeping = new Housekeeping({
    ...sweepPorts,
    clock,
    committer,
    evictor,
    expired: {
      removed: (keys) => {
        for (const { expired } of page.stores) expired.removed(keys);
      },
    },
    queue,
    uses,
    emit: emitChanges,
    sweepLock: `${name}/sweep`,
    sweepIntervalMs: settings.sweepIntervalMs,
  });

  const wake = (): void => {
    if (!isStarted || page.isHidden) return;
    relay.wake();
    evictor.remeasure();
  };
  /** Tells a store of an outage that began before it joined. */
  const tellOutage = async (store: PageStore): Promise<void> => {
    const { pending } = await outbox.count();
    if (outage !== undefined && stores.has(store)) store.emit("offline", { error: outage, pending });
  };

  return {
    settings,
    instanceId: ports.instanceId,
    committer,
    /** The writes of a key keep the order of their calls, whichever store was called. */
    queue,
    uses,
    evictor,
    housekeeping,
    commitPublisher,
    outbox,
    pulls,
    settler: publishing.settler,
    emit,
    flush: publishing.flush,
    relay,
    reachability,
    transport,
    settledElsewhere: publishing.settledElsewhere,
    get isEnding(): boolean {
      return isEnding;
    },
    join(store: PageStore): void {
      users++;
      stores.add(store);
      if (outage !== undefined) void tellOutage(store).catch(() => undefined);
      if (isStarted && store.settings.encryption !== undefined) publishing.keysAdded();
    },
    /** Begins the work in the background, unless another store has. */
    start(): void {
      if (isStarted) return;
      isStarted = true;
      wake();
      // Until then, a conflict may be reported where there is none.
      if (durable) loadPulled(pulls, database).catch(() => undefined);
      housekeeping.startSweeping();
    },
    /** The page is shown again. */
    wake,
    /** The database was deleted and created again. */
    reset(): void {
      pulls.pulledTo = 0;
      committer.reset();
      evictor.remeasure();
    },
    /** Resolves when no write is in flight. The last store to leave ends all background work and the connection. */
    async leave(store: PageStore): Promise<void> {
      isEnding = --users === 0;
      if (isEnding) {
        await housekeeping.stopSweeping();
        await publishing.stop();
        await committer.close();
        await evictor.settled();
        await uses.write().catch(() => undefined);
        await transport.close();
        ports.onEnded();
      } else {
        await commitPublisher.idle();
        await committer.caughtUp();
        await reachability.reported;
      }
      stores.delete(store);
    },
  };
}
