import type { Change } from "../model/change.ts";
import type { Emit } from "../model/events.ts";
import type { CoherentCache } from "../read/coherent-cache.ts";
import type { ExpiredKeys } from "../read/expired-keys.ts";
import type { CheckedOptions } from "../options/checked-options.ts";
import type { Watches } from "../read/watches.ts";
import { Database } from "../storage/idb/database.ts";
import { hasIndexedDB } from "../storage/idb/open.ts";
import { Channel } from "../tabs/channel.ts";
import type { TabMessage } from "../tabs/messages.ts";
import type { Clock } from "../util/clock.ts";

/** A store, as its page knows it. */
export interface PageStore {
  readonly cache: CoherentCache;
  readonly expired: ExpiredKeys;
  readonly emit: Emit;
  readonly settings: CheckedOptions;
}

/** The shared parts that load with the write side of the first store. */
export interface LatePageParts {
  readonly watches: Watches;
  /** `closing` settles when the store is closed. */
  beginClose(store: PageStore, closing: Promise<void>): void;
  onTabMessage(message: TabMessage): void;
  /** Tells loads, other tabs and watches of changes. */
  announce(changes: readonly Change[]): void;
  /** The database was deleted and created again. */
  onReset(reason: string): void;
  /** The last store has ended. */
  close(): void;
}

/** A page, as the stores of one namespace see it, and what they share. */
export interface Page {
  /** The name of the database. The names of locks begin with it. */
  readonly name: string;
  readonly clock: Clock;
  readonly inBrowser: boolean;
  readonly stores: Set<PageStore>;
  readonly database: Database;
  readonly channel: Channel;
  late?: LatePageParts;
  /** The work that waits for the parts that load late. */
  readonly early: ((late: LatePageParts) => void)[];
  /** The page is in the back/forward cache. */
  isHidden?: boolean;
  /** Anything may have changed: empties memory, and tells the watches. */
  forget(): void;
  /** Calls `work` at once, or as soon as the parts that load late are there. */
  whenLate(work: (late: LatePageParts) => void): void;
  /** The one place where changes of entries are emitted. A write is emitted once it is committed, an expiry as soon as it is found. */
  emit(changes: readonly Change[]): void;
  /** The last store to leave releases everything. */
  leave(store: PageStore): void;
}

/** The pages by the names of their databases. */
export type Pages = Map<string, Page>;

const PAGES: Pages = new Map();

/**
 * The page of a new store, which must leave it. Two copies of this module in one page do not know each other: their stores work as
 * those of two tabs do.
 * @param pages given by tests, which have several tabs in one page
 */
export function joinPage(store: PageStore, name: string, clock: Clock, pages = PAGES): Page {
  const page = pages.get(name) ?? openPage(name, clock, pages);
  page.stores.add(store);
  return page;
}

function openPage(name: string, clock: Clock, pages: Pages): Page {
  const inBrowser = hasIndexedDB();
  const stores = new Set<PageStore>();
  const clear: readonly Change[] = [{ source: "tab", type: "clear" }];
  const updateMemory = (changes: readonly Change[]): void => {
    for (const { cache, expired } of stores) {
      expired.apply(changes);
      cache.apply(changes);
    }
  };
  const forget = (): void => page.emit(clear);
  const database = new Database(name, {
    clock,
    onLost: forget,
    onReset: (reason) => {
      forget();
      page.whenLate((late) => late.onReset(reason));
    },
  });
  const channel = new Channel(name, (message) => {
    // The message may tell of changes. Until it can be read, memory must not answer.
    if (!page.late) updateMemory(clear);
    page.whenLate((late) => late.onTabMessage(message));
  });
  const page: Page = {
    name,
    clock,
    inBrowser,
    stores,
    database,
    channel,
    early: [],
    forget,
    whenLate: (work) => void (page.late ? work(page.late) : page.early.push(work)),
    emit(changes) {
      updateMemory(changes);
      page.whenLate((late) => late.announce(changes));
    },
    leave(store) {
      stores.delete(store);
      if (stores.size > 0) return;
      pages.delete(name);
      page.late?.close();
      channel.close();
      database.close();
    },
  };
  // A server makes stores and never closes them.
  if (!inBrowser) return page;
  pages.set(name, page);
  channel.open();
  return page;
}
