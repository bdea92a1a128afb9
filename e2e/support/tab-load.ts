import type { BrowserContext, Page } from "@playwright/test";
import { byForm } from "./fault-run.ts";
import { expect, openStoreIn } from "./fixtures.ts";
import type { NatsServer } from "./nats-server.ts";
import type { Random } from "./random.ts";
import type { Wire, WireMessage } from "./wire.ts";

const TABS = 8;
const STORES_EACH = byForm(150, 1_000);
const KEYS = 50;
const STORES_BETWEEN_ENDS = 300;
const LEAST_ENDS = byForm(3, 20);

/** Part of a test's title. */
export const TAB_LOAD = `${TABS} tabs, ${STORES_EACH} stores each on ${KEYS} keys`;

/** The messages of pages that write. */
type Report =
  | { type: "begun"; tab: string; n: number; key: string }
  | { type: "committed"; key: string; version: number; id: string }
  | { type: "settled"; tab: string; n: number; key: string; result: boolean | string };

declare global {
  /** Sends a report to the page that collects them, not to the test runner: it could not keep up. */
  var report: (report: Report) => void;
  /** Resolves when the page that collects reports has received it. */
  var reportBegun: (report: Report & { type: "begun" }) => Promise<void>;
  /** In the page that collects reports. */
  var reports: Report[];
  var isOver: boolean;
}

/** The fixtures of a test that ends tabs. */
export interface Fixtures {
  readonly context: BrowserContext;
  readonly openPage: () => Promise<Page>;
  readonly nats: NatsServer;
  readonly namespace: string;
  readonly wire: Wire;
  readonly random: Random;
}

/** Makes tabs write the same keys, ends one tab after another in the middle of its work, and checks that nothing is lost. */
export async function endTabsUnderLoad(
  { context, openPage, nats, namespace, wire, random }: Fixtures,
  end: (tab: Page) => Promise<void>,
): Promise<void> {
  await context.addInitScript(reportCommits);
  const watcher = await openPage();
  await watcher.evaluate(collectReports);
  const settledOf = (slot: number | ""): Promise<number> =>
    watcher.evaluate(
      (slot) => reports.filter((report) => report.type === "settled" && (slot === "" || report.tab.startsWith(`${slot}.`))).length,
      slot,
    );

  const failures: string[] = [];
  let ends = 0;
  let isFinishing = false;
  const openTab = async (slot: number): Promise<Tab> => {
    const page = await openPage();
    const name = `${slot}.${ends}`;
    await openStoreIn(page, { servers: nats.wsUrl, namespace, sweepIntervalMs: 0, ...(slot % 2 === 0 ? { lingerMs: 500 } : {}) });
    const load = page.evaluate(write, {
      tab: name,
      least: Math.max(1, STORES_EACH - (await settledOf(slot))),
      keys: KEYS,
      seed: random.int(0, 2 ** 31),
    });
    return { slot, page, load: load.catch(() => "ended" as const) };
  };
  const tabs = await Promise.all(Array.from({ length: TABS }, (_, slot) => openTab(slot)));

  // Ends one tab after another in the middle of its work, until every slot has made its stores.
  const allDone = async (): Promise<boolean> => {
    const counts = await Promise.all(tabs.map(({ slot }) => settledOf(slot)));
    return counts.every((count) => count >= STORES_EACH);
  };
  for (let settled = 0; !isFinishing;) {
    await expect.poll(() => settledOf(""), "the stores that have settled").toBeGreaterThanOrEqual(settled + STORES_BETWEEN_ENDS);
    settled = await settledOf("");
    isFinishing = ends >= LEAST_ENDS - 1 && (await allDone());
    const ending = tabs[random.int(0, TABS - 1)]!;
    if (isFinishing) {
      // First, all other tabs stop after their running stores.
      await Promise.all(
        tabs
          .filter((tab) => tab !== ending)
          .map(async ({ page, load }) => {
            await page.evaluate(() => void (globalThis.isOver = true));
            await load;
          }),
      );
    }
    await end(ending.page);
    ends++;
    expect(await ending.load).toBe("ended");
    if (isFinishing) tabs.splice(tabs.indexOf(ending), 1);
    else tabs[tabs.indexOf(ending)] = await openTab(ending.slot);
  }

  // The last tab publishes every write in the background.
  const lastTab = tabs[0]!.page;
  await expect.poll(() => lastTab.evaluate(() => store.pendingWrites()), "pending writes").toEqual([]);

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
  const interrupted = reports.filter((report) => report.type === "begun" && !finished.has(`${report.tab} ${report.n}`));
  for (const { tab, n, key, result } of settled) {
    if (typeof result === "string") failures.push(`store ${n} of ${key} in tab ${tab} rejected: ${result}`);
  }

  const messages = await wire.settled();
  const messagesOf = new Map<string, WireMessage[]>();
  for (const message of messages) {
    const { key = "" } = message.envelope ?? {};
    messagesOf.set(key, [...(messagesOf.get(key) ?? []), message]);
  }
  const keys = Array.from({ length: KEYS }, (_, k) => `k${k}`);
  const stored = await lastTab.evaluate(
    (keys) =>
      Promise.all(
        keys.map(async (key) => ({
          value: await store.retrieve(key, { useCache: false }),
          newest: (await store.getMetadata(key))?.version ?? 0,
        })),
      ),
    keys,
  );
  const seenBy = await Promise.all(
    tabs.map(async ({ page, slot }) => ({
      slot,
      values: await page.evaluate((keys) => Promise.all(keys.map((key) => store.retrieve(key))), keys),
    })),
  );
  for (const [index, key] of keys.entries()) {
    const { value, newest } = stored[index]!;
    const committed = versions.get(key) ?? new Map<number, Set<string>>();
    // Each version is committed once. Only an interrupted store may be committed without a report.
    const unseen = Array.from({ length: newest }, (_, i) => i + 1).filter((version) => !committed.has(version));
    const maybe = interrupted.filter((report) => report.key === key).length;
    if (unseen.length > maybe) failures.push(`${key}: no report of versions ${unseen.join(", ")} of ${newest}`);
    for (const [version, ids] of committed) {
      if (ids.size > 1) failures.push(`${key}: version ${version} was committed ${ids.size} times`);
      if (version > newest) failures.push(`${key}: version ${version} is lost, the newest is ${newest}`);
    }
    const acknowledged = settled.filter((report) => report.key === key).length;
    if (newest < acknowledged) failures.push(`${key}: ${acknowledged} stores were acknowledged, the newest version is ${newest}`);

    // Messages are in order, and the newest is last. A message that is sent twice, because a tab ended between the server's answer and the
    // removal of the outbox record, counts at its first position.
    const sent = messagesOf.get(key) ?? [];
    const last = sent.at(-1)?.envelope;
    if (last?.metadata?.version !== newest)
      failures.push(
        `${key}: the last message is version ${last?.metadata?.version}, the newest is ${newest}: ${described(sent.slice(-4))}`,
      );
    const firsts = [...new Map(sent.toReversed().map((message) => [message.headers["Nats-Msg-Id"], message])).values()].toReversed();
    firsts.forEach(({ envelope }, at) => {
      const before = firsts[at - 1]?.envelope?.metadata?.version ?? 0;
      const version = envelope?.metadata?.version ?? 0;
      if (version < before)
        failures.push(`${key}: version ${version} was sent after ${before}: ${described(firsts.slice(Math.max(0, at - 3), at + 2))}`);
    });
    // The last message and every tab have the stored value.
    if (last !== undefined && JSON.stringify(value) !== last.value)
      failures.push(`${key}: ${JSON.stringify(value)} is stored, ${last.value} was sent last`);
    for (const { slot, values } of seenBy) {
      const seen = values[index];
      if (JSON.stringify(seen) !== JSON.stringify(value))
        failures.push(`${key}: tab ${slot} returns ${JSON.stringify(seen)}, not ${JSON.stringify(value)}`);
    }
  }
  const confirmed = settled.filter(({ result }) => result === true).length;
  console.log(`${settled.length} stores, ${confirmed} confirmed at once, ${ends} tabs ended, ${messages.length} messages`);
  expect(failures).toEqual([]);
}

function described(messages: readonly WireMessage[]): string {
  return messages.map(({ envelope, headers }) => `v${envelope?.metadata?.version} ${headers["Nats-Msg-Id"]} ${envelope?.value}`).join(", ");
}

interface Tab {
  slot: number;
  page: Page;
  load: Promise<unknown>;
}

/** In the page that collects reports. */
function collectReports(): void {
  globalThis.reports = [];
  const channel = new BroadcastChannel("reports");
  channel.onmessage = ({ data }: MessageEvent<Report>) => {
    globalThis.reports.push(data);
    if (data.type === "begun") channel.postMessage(`${data.tab} ${data.n}`);
  };
}

/** In every page, before any other script: reports each committed version when its transaction completes. */
function reportCommits(): void {
  const channel = new BroadcastChannel("reports");
  const awaited = new Map<string, () => void>();
  channel.onmessage = ({ data }: MessageEvent<string | Report>) => {
    if (typeof data === "string") awaited.get(data)?.();
  };
  globalThis.report = (report) => channel.postMessage(report);
  // The last messages of a page that ends may be lost.
  globalThis.reportBegun = (report) =>
    new Promise((resolve) => {
      awaited.set(`${report.tab} ${report.n}`, resolve);
      channel.postMessage(report);
    });
  const put = IDBObjectStore.prototype.put;
  const commits = new WeakMap<IDBTransaction, Extract<Report, { type: "committed" }>[]>();
  // The outbox names every version, even one that is superseded in its own transaction.
  IDBObjectStore.prototype.put = function (
    this: IDBObjectStore,
    row: { writes: { key: string; version: number; sequence: number }[] } | null,
    rowKey?: IDBValidKey,
  ) {
    // Not the version floor, a number, nor null, which only flushes earlier commits.
    if (this.name === "outbox" && typeof row === "object" && row !== null) {
      let list = commits.get(this.transaction);
      if (list === undefined) {
        const reported = (list = []) as Extract<Report, { type: "committed" }>[];
        commits.set(this.transaction, list);
        this.transaction.addEventListener("complete", () => reported.forEach(globalThis.report));
      }
      const [owner] = rowKey as [string, number];
      list.push(
        ...row.writes.map(({ key, version, sequence }) => ({ type: "committed" as const, key, version, id: `${owner} ${sequence}` })),
      );
    }
    return put.call(this, row, rowKey);
  } as typeof put;
}

/** In a page: runs four chains of stores of random keys, until there are enough and the test sets `isOver`. */
async function write({ tab, least, keys, seed }: { tab: string; least: number; keys: number; seed: number }): Promise<void> {
  let state = seed;
  const below = (limit: number): number => (state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0) % limit;
  globalThis.isOver = false;
  let begun = 0;
  const chain = async (): Promise<void> => {
    while (begun < least || !globalThis.isOver) {
      const n = begun++;
      // The tab has made its stores. Further stores only keep it busy.
      if (n > least) await new Promise((resolve) => setTimeout(resolve, 50));
      const key = `k${below(9_973) % keys}`;
      await globalThis.reportBegun({ type: "begun", tab, n, key });
      const result = await store.store(key, { tab, n }).catch((error: unknown) => String(error));
      globalThis.report({ type: "settled", tab, n, key, result });
    }
  };
  await Promise.all([chain(), chain(), chain(), chain()]);
}
