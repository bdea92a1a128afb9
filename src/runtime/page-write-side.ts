import { changesUsage } from "../model/change.ts";
import { compilePattern } from "../model/pattern.ts";
import { settingsOf, type Settings } from "../options/defaults.ts";
import type { Loading } from "../read/loading.ts";
import type { Living } from "../relay/outbox-drain.ts";
import { dropOlder } from "../read/drop-older.ts";
import { Watches } from "../read/watches.ts";
import { ENTRIES } from "../storage/idb/schema.ts";
import { watchedBy } from "../storage/idb/transaction.ts";
import { Watchdog } from "../storage/idb/watchdog.ts";
import { Liveness } from "../tabs/liveness.ts";
import { inPageTurns } from "../tabs/locks.ts";
import { toldChanges, type SettledWrites, type TabMessage } from "../tabs/messages.ts";
import { within } from "../util/deadline.ts";
import { randomId } from "../util/random-id.ts";
import { encryptionPart } from "../values/encryption-part.ts";
import { SMALL_BYTES, smallHash } from "../values/sha256.ts";
import { openEngine, type Engine } from "./engine.ts";
import type { LatePageParts, Page } from "./page.ts";
import { followPage } from "./page-lifecycle.ts";
import { canShareEngine } from "./shared-settings.ts";
import { followWakeEvents } from "./wake-events.ts";

export interface PageWriteSide extends LatePageParts {
  /** The loads of `retrieveOrStore` under way, by key. */
  readonly loadings: Map<string, Loading>;
  /** The engine of stores with these settings. */
  engineFor(settings: Settings): Engine;
  /** Tells the loads of all tabs that a store of this page begins to invalidate entries. */
  invalidating(pattern: string, tag: string | undefined): void;
  /** Takes the liveness lock, unless the page is in the back/forward cache. */
  begin(): void;
  /** The page ends, or enters the back/forward cache. */
  readonly isPageEnding: boolean;
}

const opened = new WeakMap<Page, PageWriteSide>();

/** What the stores of a page share once their write sides have loaded. */
export function writeSideOf(page: Page): PageWriteSide {
  const writeSide = opened.get(page) ?? openPageWriteSide(page);
  opened.set(page, writeSide);
  page.late = writeSide;
  for (const work of page.early.splice(0)) work(writeSide);
  return writeSide;
}

function openPageWriteSide(page: Page): PageWriteSide {
  const { name, clock, channel, database, inBrowser, stores } = page;
  /** An instance id is this, a dot and a number. */
  const pageId = randomId();
  const engines = new Set<Engine>();
  const watches = new Watches(() => database.run([ENTRIES], "readonly", () => undefined));
  const loadings = new Map<string, Loading>();
  const exclusively = inPageTurns(clock);
  let enginesOpened = 0;
  let isPageEnding = false;

  const watchdog = new Watchdog(clock);
  database.transact = watchedBy(watchdog.watch);

  const post = (message: TabMessage): void => {
    try {
      channel.post(message);
    } catch (error) {
      // The callers go on. Node has no such function.
      globalThis.reportError?.(error);
    }
  };
  const kickAll = (): void => {
    for (const { relay } of engines) relay.kick();
  };
  const liveness = new Liveness(`${name}/alive/`, pageId, {
    onBegun: () => post({ type: "hello", pageId }),
    onDeath: () => {
      // The last messages of the dead tab may be lost, and its writes are to be published.
      page.forget();
      kickAll();
    },
  });
  /** An engine may have ended and left writes while its page lives: the page's other engines may publish them. */
  const livingInstances = async (): Promise<Living> => {
    const pages = await liveness.living();
    return {
      has: (instanceId) => {
        const [ofPage = ""] = instanceId.split(".");
        return ofPage === pageId ? [...engines].some((engine) => engine.instanceId === instanceId) : pages.has(ofPage);
      },
    };
  };

  /** A published write that is newer than memory shows that the message of its change was lost. Others may be lost too. */
  const noteVersions = ({ writes }: SettledWrites): void => {
    const wereOlder = Array.from(stores, ({ cache }) => dropOlder(cache, writes));
    if (wereOlder.includes(true)) page.forget();
  };
  const forgetCounts = (but?: Engine): void => {
    for (const engine of engines) if (engine !== but) engine.evictor.forgetCount();
  };
  const unstickAll = (): void => {
    for (const { evictor } of engines) evictor.unstick();
  };

  const overtakeLoadings = (pattern: string, tag: string | undefined): void => {
    const { matches } = compilePattern(pattern);
    for (const loading of loadings.values()) loading.invalidate(matches, tag);
  };

  const openEngineFor = (settings: Settings): Engine => {
    const engine: Engine = openEngine({
      page,
      settings,
      instanceId: `${pageId}.${++enginesOpened}`,
      livingInstances,
      exclusively,
      isPageEnding: () => isPageEnding,
      onSettled: (settled) => {
        noteVersions(settled);
        post({ type: "settled", ...settled });
        if (settled.confirmed) unstickAll();
        for (const other of engines) if (other !== engine) other.settledElsewhere(settled);
      },
      onEvictable: unstickAll,
      onChanged: () => forgetCounts(engine),
      onEnded: () => {
        engines.delete(engine);
        kickAll();
      },
    });
    engines.add(engine);
    return engine;
  };

  const begin = (): void => {
    if (!page.isHidden) void liveness.begin().catch(() => undefined);
  };
  // A server makes stores and never closes them.
  const unfollow = inBrowser
    ? [
        followWakeEvents({
          onWake: () => {
            for (const { relay } of engines) relay.wake();
          },
          onOffline: () => {
            for (const { reachability } of engines) reachability.browserOffline();
          },
          onLeave: () => {
            isPageEnding = true;
            smallHash.maxBytes = Infinity;
            for (const { transport } of engines) void transport.close();
          },
        }),
        followPage({
          // The back/forward cache takes no page that holds a lock.
          onHide: () => {
            page.isHidden = true;
            channel.close();
            liveness.end();
            database.release();
          },
          onReturn: () => {
            page.isHidden = isPageEnding = false;
            smallHash.maxBytes = SMALL_BYTES;
            channel.open();
            begin();
            page.forget();
            for (const engine of engines) engine.wake();
          },
        }),
      ]
    : [];

  return {
    watches,
    loadings,
    engineFor: (settings) =>
      [...engines].find((engine) => !engine.isEnding && canShareEngine(engine.settings, settings)) ?? openEngineFor(settings),
    invalidating(pattern, tag): void {
      overtakeLoadings(pattern, tag);
      post({ type: "invalidating", pattern, tag });
    },
    beginClose(store, closing): void {
      watches.endOf(store);
      const { encryption, timeoutMs } = settingsOf(store.settings);
      if (encryption === undefined) return;
      const endWaits = (): void => {
        encryptionPart
          .load()
          .then(({ endKeyWaits }) => endKeyWaits(encryption))
          .catch(() => undefined);
      };
      void within(clock, timeoutMs, closing, endWaits).catch(() => undefined);
    },
    begin,
    get isPageEnding(): boolean {
      return isPageEnding;
    },
    onTabMessage(message: TabMessage): void {
      switch (message.type) {
        case "hello":
          return liveness.watch(message.pageId);
        case "changes":
          liveness.watch(message.pageId);
          if (message.changes.some(changesUsage)) forgetCounts();
          return page.emit(message.changes.map((change) => ({ source: "tab", ...change })));
        case "settled":
          // A tab that publishes a dead tab's write may be the first to report it.
          noteVersions(message);
          for (const engine of engines) engine.settledElsewhere(message);
          return;
        case "invalidating":
          return overtakeLoadings(message.pattern, message.tag);
        case "foreign":
          page.forget();
          forgetCounts();
          // The message may announce a page, in a form that this version does not know.
          void liveness.watchAll().catch(() => undefined);
          return kickAll();
      }
    },
    announce(changes): void {
      for (const loading of loadings.values()) loading.apply(changes);
      const told = toldChanges(changes);
      if (told.length > 0) post({ type: "changes", pageId, changes: told });
      // In the back/forward cache, a listener that reads would open the database again.
      if (!page.isHidden) watches.apply(changes);
    },
    onReset(reason): void {
      for (const engine of engines) engine.reset();
      // A listener may create a store, which must not get the event.
      const present = [...stores];
      for (const { emit } of present) emit("reset", { reason });
    },
    close(): void {
      for (const end of unfollow) end();
      liveness.end();
      watchdog.stop();
    },
  };
}
