import { setTimeout as sleep } from "node:timers/promises";
import type { Page } from "@playwright/test";
import { byForm } from "../support/fault-run.ts";
import { expect, test, visit } from "../support/faults.ts";
import { LOAD_KEYS, LoadLedger, runLoad, type Acknowledgement } from "../support/load.ts";
import type { WireMessage } from "../support/wire.ts";

const KILLS = byForm(10, 200);
const AT_ONCE = 8;

/** What a namespace holds of a key. */
interface Held {
  key: string;
  value?: { n: number };
  /** As getMetadata has them. */
  version?: number;
  pending?: boolean;
  /** As pendingWrites has it. */
  waits?: { operation: "store" | "delete"; version: number };
}

test(`no acknowledged write is lost when the browser is killed ${KILLS} times`, async ({
  nats,
  wire,
  namespace,
  site,
  random,
  startBrowser,
  consoleGuard,
}) => {
  consoleGuard.allowFailedSockets();
  const browser = await startBrowser();
  const ledger = new LoadLedger(AT_ONCE);
  const seed = `seed ${random.seed}`;
  const stepRandom = random.fork();

  for (let kill = 0; kill < KILLS; kill++) {
    const before = ledger.acknowledgements;
    const [calls, moment] = [random.int(1, 100), random.int(0, 20)];
    let enough = (): void => {};
    const underLoad = new Promise<void>((resolve) => (enough = resolve));
    const page = browser.context.pages()[0]!;
    // Acknowledgements leave the page at once: they survive the browser.
    await page.exposeFunction("nextSteps", () => ledger.nextSteps(stepRandom));
    await page.exposeFunction("acknowledged", (end: Acknowledgement) => {
      ledger.acknowledge(end);
      if (ledger.acknowledgements - before >= calls) enough();
    });
    await visit(page, site.url);
    // Every third time nobody can be reached, so that everything is in the outbox when the browser dies.
    const died = startLoad(page, { servers: nats.wsUrl, namespace, reachable: kill % 3 !== 2 });
    await Promise.race([underLoad, died]);
    // Somewhere in the next calls: this pause is the moment of the fault.
    await sleep(moment);
    await browser.kill();
    await died;

    await browser.restart();
    const after = await visit(browser.context.pages()[0]!, site.url);
    const run = `${seed}, kill ${kill}, after ${ledger.acknowledgements - before} acknowledgements`;

    // By a store that reaches nobody: it must see what the crash has left.
    const held = await holdings(after, namespace);
    const objections = held.flatMap(({ key, value }) => ledger.objection(key, value) ?? []);
    expect(ledger.errors, `${run}: calls that failed`).toEqual([]);
    expect(objections, `${run}: acknowledged writes lost`).toEqual([]);
    expect(halves(held, await wire.settled()), `${run}: half-written`).toEqual([]);
    expect.soft(misnamed(held), `${run}: pendingWrites() names a write that a newer one has overtaken`).toEqual([]);

    expect(await publishAll(after, nats.wsUrl, namespace), `${run}: pending`).toEqual({ pending: 0, rejected: 0 });
    expect(unpublished(await holdings(after, namespace), await wire.settled()), `${run}: not the last message`).toEqual([]);
    expect(ledger.unread(wire.messages), `${run}: acknowledged as read, but never read`).toEqual([]);
  }
  test
    .info()
    .annotations.push({ type: "acknowledged", description: `${ledger.acknowledgements}, ${ledger.confirmed().length} of them true` });
  test.info().annotations.push({ type: "torn logs", description: `${browser.tornLogs} kills tore a log of Chromium's, which was mended` });
});

/** @returns resolves when the browser has died of it */
async function startLoad(page: Page, options: { servers: string; namespace: string; reachable: boolean }): Promise<void> {
  try {
    await page.evaluate(({ reachable, ...options }) => {
      const connect = (): Promise<never> => Promise.reject(new Error("Nobody can be reached"));
      globalThis.store = new keystore.NASKeyStore({ ...options, ...(reachable ? undefined : { connect }) });
    }, options);
    await page.evaluate(runLoad, AT_ONCE);
  } catch (error) {
    if (/closed|crashed/i.test(String(error))) return;
    throw error;
  }
  throw new Error("The load ended before the browser was killed");
}

function holdings(page: Page, namespace: string): Promise<Held[]> {
  return page.evaluate(
    async ([namespace, keys]) => {
      const connect = (): Promise<never> => Promise.reject(new Error("Nobody can be reached"));
      const store = new keystore.NASKeyStore({ namespace, connect });
      const waiting = new Map((await store.pendingWrites()).map(({ key, operation, version }) => [key, { operation, version }]));
      const held = await Promise.all(
        keys.map(async (key) => {
          const [value, metadata, waits] = [
            await store.retrieve<{ n: number }>(key, { useCache: false }),
            await store.getMetadata(key),
            waiting.get(key),
          ];
          return {
            key,
            ...(value === undefined ? undefined : { value }),
            ...(metadata === undefined ? undefined : { version: metadata.version, pending: metadata.pending }),
            ...(waits === undefined ? undefined : { waits }),
          };
        }),
      );
      await store.close();
      return held;
    },
    [namespace, LOAD_KEYS] as const,
  );
}

/** Entries without their outbox record, and the other way round. An entry that does not wait has been read by the server. */
function halves(held: readonly Held[], messages: readonly WireMessage[]): string[] {
  return held.flatMap(({ key, value, version, pending, waits }) => {
    if (waits?.operation === "store" && (value === undefined || version !== waits.version)) {
      return `${key}: ${waits.version} waits, the entry is ${version}`;
    }
    if (waits?.operation === "delete" && value !== undefined && pending !== true) return `${key}: its delete waits, the entry is there`;
    if (pending !== undefined && pending !== (waits !== undefined)) return `${key}: pending ${pending}, but ${waits ? "" : "not "}waiting`;
    const read = messages.some(({ envelope }) => envelope?.key === key && envelope.value === JSON.stringify(value));
    if (value !== undefined && waits === undefined && !read) return `${key}: ${version} neither waits nor was published`;
    return [];
  });
}

/** An entry that waits itself, under a key of which an older write is named as the newest that waits. */
function misnamed(held: readonly Held[]): string[] {
  return held.flatMap(({ key, version, pending, waits }) =>
    pending === true && waits?.operation === "delete" ? [`${key}: entry ${version} waits, but delete ${waits.version} is named`] : [],
  );
}

function publishAll(page: Page, servers: string, namespace: string): Promise<{ pending: number; rejected: number }> {
  return page.evaluate(
    async ([servers, namespace]) => {
      const store = new keystore.NASKeyStore({ servers, namespace, timeoutMs: aids.LONG_MS });
      const { pending, rejected } = await store.flush();
      await store.close();
      return { pending, rejected };
    },
    [servers, namespace] as const,
  );
}

/** Keys whose last message does not tell what they hold. */
function unpublished(held: readonly Held[], messages: readonly WireMessage[]): string[] {
  return held.flatMap(({ key, value }) => {
    const last = messages.findLast(({ envelope }) => envelope?.key === key)?.envelope;
    const told = last?.operation === "store" ? last.value : undefined;
    return told === (value && JSON.stringify(value)) ? [] : `${key}: holds ${value?.n}, told ${last?.operation} ${told}`;
  });
}
