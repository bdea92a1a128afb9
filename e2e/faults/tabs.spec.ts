import type { BrowserContext, Page } from "@playwright/test";
import { byForm } from "../support/fault-run.ts";
import { expect, test } from "../support/faults.ts";
import { openStoreIn } from "../support/fixtures.ts";
import type { WireMessage } from "../support/wire.ts";

const TABS = 8;
const STORES_EACH = byForm(150, 1_000);
const KEYS = 50;
const KILL_EVERY_MS = 2_000;
const LEAST_KILLS = byForm(3, 20);

/** What the pages tell while they write. */
type Report =
  | { type: "begun"; tab: string; n: number; key: string }
  | { type: "committed"; key: string; version: number; id: string }
  | { type: "settled"; tab: string; n: number; key: string; result: boolean | string };

declare global {
  /** Tells the page that watches, without the test runner in between: it could not keep up. */
  var report: (report: Report) => void;
  /** Resolves when the page that watches has heard it. */
  var reportBegun: (report: Report & { type: "begun" }) => Promise<void>;
  /** In the page that watches. */
  var reports: Report[];
  var isOver: boolean;
}

test(`${TABS} tabs, ${STORES_EACH} stores each on ${KEYS} keys, one killed every ${KILL_EVERY_MS} ms: nothing is lost`, async ({
  context,
  openPage,
  nats,
  namespace,
  wire,
  random,
}) => {
  await context.addInitScript(reportCommits);
  const watcher = await openPage();
  await watcher.evaluate(collectReports);
  const settledOf = (slot: number): Promise<number> =>
    watcher.evaluate((slot) => reports.filter((report) => report.type === "settled" && report.tab.startsWith(`${slot}.`)).length, slot);

  const failures: string[] = [];
  let kills = 0;
  let isFinishing = false;
  const openTab = async (slot: number): Promise<Tab> => {
    const page = await openPage();
    const name = `${slot}.${kills}`;
    await openStoreIn(page, { servers: nats.wsUrl, namespace, sweepIntervalMs: 0, ...(slot % 2 === 0 ? { lingerMs: 500 } : {}) });
    const load = page.evaluate(write, { tab: name, least: Math.max(1, STORES_EACH - (await settledOf(slot))), keys: KEYS, seed: random.int(0, 2 ** 31) });
    return { slot, page, load: load.catch(() => "killed" as const) };
  };
  const tabs = await Promise.all(Array.from({ length: TABS }, (_, slot) => openTab(slot)));

  // A tab is killed in the midst of its work, every two seconds, until everybody has done theirs.
  const allDone = async (): Promise<boolean> => {
    const counts = await Promise.all(tabs.map(({ slot }) => settledOf(slot)));
    return counts.every((count) => count >= STORES_EACH);
  };
  while (!isFinishing) {
    await everyTwoSeconds();
    isFinishing = kills >= LEAST_KILLS - 1 && (await allDone());
    const victim = tabs[random.int(0, TABS - 1)]!;
    if (isFinishing) {
      // All but the last victim end in good order first.
      await Promise.all(
        tabs.filter((tab) => tab !== victim).map(async ({ page, load }) => {
          await page.evaluate(() => void (globalThis.isOver = true));
          await load;
        }),
      );
    }
    await crash(context, victim.page);
    kills++;
    expect(await victim.load).toBe("killed");
    if (isFinishing) tabs.splice(tabs.indexOf(victim), 1);
    else tabs[tabs.indexOf(victim)] = await openTab(victim.slot);
  }

  // The queue is empty within five seconds, with nobody calling for it.
  const killedAt = performance.now();
  const survivor = tabs[0]!.page;
  let waiting: { key: string }[];
  do waiting = await survivor.evaluate(() => store.pendingWrites());
  while (waiting.length > 0 && performance.now() - killedAt < 15_000);
  const emptyAfter = performance.now() - killedAt;
  if (waiting.length > 0) failures.push(`still queued: ${JSON.stringify(waiting)}`);
  else if (emptyAfter > 5_000) failures.push(`the queue was empty only after ${Math.round(emptyAfter)} ms`);

  const reports = await watcher.evaluate(() => globalThis.reports);
  const versions = new Map<string, Map<number, Set<string>>>();
  const settled = reports.filter((report) => report.type === "settled");
  for (const report of reports) {
    if (report.type !== "committed") continue;
    const ofKey = versions.get(report.key) ?? new Map<number, Set<string>>();
    versions.set(report.key, ofKey);
    ofKey.set(report.version, (ofKey.get(report.version) ?? new Set()).add(report.id));
  }
  const finished = new Set(settled.map(({ tab, n }) => `${tab} ${n}`));
  const cutOff = reports.filter((report) => report.type === "begun" && !finished.has(`${report.tab} ${report.n}`));
  for (const { tab, n, key, result } of settled) {
    if (typeof result === "string") failures.push(`store ${n} of ${key} in tab ${tab} rejected: ${result}`);
  }

  const messages = await wire.settled();
  const messagesOf = new Map<string, WireMessage[]>();
  for (const message of messages) {
    const { key = "" } = message.envelope ?? {};
    messagesOf.set(key, [...(messagesOf.get(key) ?? []), message]);
  }
  for (let k = 0; k < KEYS; k++) {
    const key = `k${k}`;
    const newest = await survivor.evaluate((key) => store.getMetadata(key).then((metadata) => metadata?.version ?? 0), key);
    const committed = versions.get(key) ?? new Map<number, Set<string>>();
    // Dense: each version once; only what a kill cut off may have been committed unseen.
    const unseen = Array.from({ length: newest }, (_, i) => i + 1).filter((version) => !committed.has(version));
    const maybe = cutOff.filter((report) => report.key === key).length;
    if (unseen.length > maybe) failures.push(`${key}: nobody committed versions ${unseen.join(", ")} of ${newest}`);
    for (const [version, ids] of committed) {
      if (ids.size > 1) failures.push(`${key}: version ${version} was committed ${ids.size} times`);
      if (version > newest) failures.push(`${key}: version ${version} is lost, the newest is ${newest}`);
    }
    const acknowledged = settled.filter((report) => report.key === key).length;
    if (newest < acknowledged) failures.push(`${key}: ${acknowledged} stores were acknowledged, the newest version is ${newest}`);

    // On the wire: in order, and the newest last. A message that is sent twice, because a kill came between the server's
    // answer and the outbox, is the same message: it counts where it came first.
    const sent = messagesOf.get(key) ?? [];
    const last = sent.at(-1)?.envelope;
    if (last?.metadata?.version !== newest) failures.push(`${key}: the last message is version ${last?.metadata?.version}, the newest is ${newest}: ${told(sent.slice(-4))}`);
    const firsts = [...new Map(sent.toReversed().map((message) => [message.headers["Nats-Msg-Id"], message])).values()].toReversed();
    firsts.forEach(({ envelope }, at) => {
      const before = firsts[at - 1]?.envelope?.metadata?.version ?? 0;
      const version = envelope?.metadata?.version ?? 0;
      if (version < before) failures.push(`${key}: version ${version} was sent after ${before}: ${told(firsts.slice(Math.max(0, at - 3), at + 2))}`);
    });
    // What the wire and every tab say is what is stored.
    const value = await survivor.evaluate((key) => store.retrieve(key, { useCache: false }), key);
    if (last !== undefined && JSON.stringify(value) !== last.value) failures.push(`${key}: ${JSON.stringify(value)} is stored, ${last.value} was sent last`);
    for (const { page, slot } of tabs) {
      const seen = await page.evaluate((key) => store.retrieve(key), key);
      if (JSON.stringify(seen) !== JSON.stringify(value)) failures.push(`${key}: tab ${slot} serves ${JSON.stringify(seen)}, not ${JSON.stringify(value)}`);
    }
  }
  const confirmed = settled.filter(({ result }) => result === true).length;
  console.log(
    `${settled.length} stores, ${confirmed} confirmed at once, ${kills} kills, ${messages.length} messages; the queue was empty after ${Math.round(emptyAfter)} ms`,
  );
  expect(failures).toEqual([]);
});

function told(messages: readonly WireMessage[]): string {
  return messages.map(({ envelope, headers }) => `v${envelope?.metadata?.version} ${headers["Nats-Msg-Id"]} ${envelope?.value}`).join(", ");
}

interface Tab {
  slot: number;
  page: Page;
  load: Promise<unknown>;
}

/** The pace of the kills, which is part of the test. */
function everyTwoSeconds(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, KILL_EVERY_MS));
}

/** Kills a tab's renderer. */
async function crash(context: BrowserContext, page: Page): Promise<void> {
  const crashed = page.waitForEvent("crash");
  const devtools = await context.newCDPSession(page);
  devtools.send("Page.crash").catch(() => {}); // it never answers
  await crashed;
  await page.close();
}

/** In the page that watches. */
function collectReports(): void {
  globalThis.reports = [];
  const channel = new BroadcastChannel("reports");
  channel.onmessage = ({ data }: MessageEvent<Report>) => {
    globalThis.reports.push(data);
    if (data.type === "begun") channel.postMessage(`${data.tab} ${data.n}`);
  };
}

/** In every page, before anything else: tells which versions are committed, as their transactions complete. */
function reportCommits(): void {
  const channel = new BroadcastChannel("reports");
  const awaited = new Map<string, () => void>();
  channel.onmessage = ({ data }: MessageEvent<string | Report>) => {
    if (typeof data === "string") awaited.get(data)?.();
  };
  globalThis.report = (report) => channel.postMessage(report);
  // A page that is killed may take with it what it has told last.
  globalThis.reportBegun = (report) =>
    new Promise((resolve) => {
      awaited.set(`${report.tab} ${report.n}`, resolve);
      channel.postMessage(report);
    });
  const put = IDBObjectStore.prototype.put;
  const commits = new WeakMap<IDBTransaction, Extract<Report, { type: "committed" }>[]>();
  // The outbox names every version, also one that is overtaken in its own transaction.
  IDBObjectStore.prototype.put = function (this: IDBObjectStore, row: { writes: { key: string; version: number; n: number }[] }, rowKey?: IDBValidKey) {
    if (this.name === "outbox") {
      let list = commits.get(this.transaction);
      if (list === undefined) {
        const told = (list = []) as Extract<Report, { type: "committed" }>[];
        commits.set(this.transaction, list);
        this.transaction.addEventListener("complete", () => told.forEach(globalThis.report));
      }
      const [owner] = rowKey as [string, number];
      list.push(...row.writes.map(({ key, version, n }) => ({ type: "committed" as const, key, version, id: `${owner} ${n}` })));
    }
    return put.call(this, row, rowKey);
  } as typeof put;
}

/** In a page: four chains of stores on random keys, until there are enough and the test says that it is over. */
async function write({ tab, least, keys, seed }: { tab: string; least: number; keys: number; seed: number }): Promise<void> {
  let state = seed;
  const below = (limit: number): number => (state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0) % limit;
  globalThis.isOver = false;
  let begun = 0;
  const chain = async (): Promise<void> => {
    while (begun < least || !globalThis.isOver) {
      const n = begun++;
      // Enough is written: what follows only keeps the tab at work.
      if (n > least) await new Promise((resolve) => setTimeout(resolve, 50));
      const key = `k${below(9_973) % keys}`;
      await globalThis.reportBegun({ type: "begun", tab, n, key });
      const result = await store.store(key, { tab, n }).catch((error: unknown) => String(error));
      globalThis.report({ type: "settled", tab, n, key, result });
    }
  };
  await Promise.all([chain(), chain(), chain(), chain()]);
}

test.describe("no tab serves a stale copy", () => {
  const CHANGES: Record<string, { change: (page: Page) => Promise<unknown>; then: unknown }> = {
    store: { change: (page) => page.evaluate(() => store.store("key", "new")), then: "new" },
    update: { change: (page) => page.evaluate(() => store.update("key", "new")), then: "new" },
    bulkStore: { change: (page) => page.evaluate(() => store.bulkStore({ other: 1, key: "new" })), then: "new" },
    delete: { change: (page) => page.evaluate(() => store.delete("key")), then: undefined },
    clearCache: { change: (page) => page.evaluate(() => store.clearCache()), then: undefined },
    "a sweep while the clock was ahead": {
      change: (page) =>
        page.evaluate(async () => {
          const { now } = Date;
          Date.now = () => now() + 3_600_000;
          await store.sweep();
          Date.now = now;
        }),
      then: undefined,
    },
  };

  for (const [what, { change, then }] of Object.entries(CHANGES)) {
    test(`after ${what} in another`, async ({ page, openPage, nats, namespace }) => {
      const tabs = [page, await openPage(), await openPage()];
      for (const tab of tabs) await openStoreIn(tab, { servers: nats.wsUrl, namespace, sweepIntervalMs: 0 });
      await page.evaluate(() => store.store("key", "old", { ttl: 600 }));
      for (const tab of tabs) {
        await expect.poll(() => tab.evaluate(() => store.retrieve("key"))).toBe("old");
        expect(await tab.evaluate(() => store.getCacheStats().keys)).toContain("key");
      }
      await change(page);
      for (const tab of tabs) {
        await expect.poll(() => tab.evaluate(() => store.retrieve("key"))).toBe(then);
        // And never again.
        const seen = await tab.evaluate(async () => {
          const values = new Set<unknown>();
          for (let i = 0; i < 50; i++) values.add(await store.retrieve("key"));
          return [...values];
        });
        expect(seen).toEqual([then]);
      }
    });
  }

  test("while it reads and another writes, and never an older copy after a newer one", async ({ page, openPage, nats, namespace }) => {
    const writes = byForm(300, 3_000);
    const readers = [await openPage(), await openPage()];
    for (const tab of [page, ...readers]) await openStoreIn(tab, { servers: nats.wsUrl, namespace, sweepIntervalMs: 0, lingerMs: 1_000 });
    const reading = readers.map((reader) =>
      reader.evaluate(async (last) => {
        const wentBack: string[] = [];
        for (let before = 0, now = 0; now < last; before = now) {
          now = (await store.retrieve<number>("key")) ?? 0;
          if (now < before) wentBack.push(`${before} → ${now}`);
          // Lets notices in, and cold reads overlap.
          if (now === before) await new Promise((resolve) => setTimeout(resolve, 0));
        }
        return wentBack;
      }, writes),
    );
    await page.evaluate(async (writes) => {
      for (let i = 1; i <= writes; i++) await store.store("key", i);
    }, writes);
    // They end when they have seen the last one.
    expect(await Promise.all(reading)).toEqual([[], []]);
  });

  test("when it deletes what another has just stored", async ({ page, openPage, nats, namespace }) => {
    const other = await openPage();
    for (const tab of [page, other]) await openStoreIn(tab, { servers: nats.wsUrl, namespace, sweepIntervalMs: 0, lingerMs: 1_000 });
    for (let round = 0; round < byForm(20, 200); round++) {
      await page.evaluate((round) => store.store("key", round), round);
      expect(await other.evaluate(() => store.delete("key")), `round ${round}`).toBe(true);
      await expect.poll(() => page.evaluate(() => store.retrieve("key"))).toBeUndefined();
    }
  });
});
