import { setTimeout as sleep } from "node:timers/promises";
import type { Page } from "@playwright/test";
import { byForm } from "../support/fault-run.ts";
import { expect, test, visit } from "../support/faults.ts";
import { LOAD_KEYS, LoadLedger, runLoad, type Acknowledgement } from "../support/load.ts";
import type { WireMessage } from "../support/wire.ts";

const KILLS = byForm(10, 200);
const AT_ONCE = 8;

/** The state of a key in a namespace. */
interface Held {
  key: string;
  value?: { n: number };
  /** From getMetadata. */
  version?: number;
  pending?: boolean;
  /** From pendingWrites. */
  pendingWrite?: { operation: "store" | "delete"; version: number };
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
    // Acknowledgements leave the page immediately, so the kill loses none.
    await page.exposeFunction("nextSteps", () => ledger.nextSteps(stepRandom));
    await page.exposeFunction("acknowledged", (end: Acknowledgement) => {
      ledger.acknowledge(end);
      if (ledger.acknowledgements - before >= calls) enough();
    });
    await visit(page, site.url);
    // Every third time the server is unreachable, so that every write is in the outbox at the kill.
    const ended = startLoad(page, { servers: nats.wsUrl, namespace, reachable: kill % 3 !== 2 });
    await Promise.race([underLoad, ended]);
    // A random pause, so that the kill interrupts a random step of the next calls.
    await sleep(moment);
    await browser.kill();
    await ended;

    await browser.restart();
    const after = await visit(browser.context.pages()[0]!, site.url);
    const run = `${seed}, kill ${kill}, after ${ledger.acknowledgements - before} acknowledgements`;

    // A store that cannot connect reads the entries: it must see the database as the kill has left it.
    const held = await readAll(after, namespace);
    const lost = held.flatMap(({ key, value }) => ledger.lossOf(key, value) ?? []);
    expect(ledger.errors, `${run}: calls that failed`).toEqual([]);
    expect(lost, `${run}: acknowledged writes lost`).toEqual([]);
    expect(halfWritten(held, await wire.settled()), `${run}: half-written`).toEqual([]);
    expect.soft(wrongPending(held), `${run}: pendingWrites() names a superseded write`).toEqual([]);

    expect(await publishAll(after, nats.wsUrl, namespace), `${run}: pending`).toEqual({ pending: 0, rejected: 0 });
    expect(unpublished(await readAll(after, namespace), await wire.settled()), `${run}: not the last message`).toEqual([]);
    expect(ledger.unread(wire.messages), `${run}: acknowledged as read, but never read`).toEqual([]);
  }
  test
    .info()
    .annotations.push({ type: "acknowledged", description: `${ledger.acknowledgements}, ${ledger.confirmed().length} of them true` });
  test.info().annotations.push({
    type: "torn logs",
    description: `${browser.tornLogs} kills left a partial record in a log of Chromium, which was truncated`,
  });
});

/** Runs the load until the browser is killed. */
async function startLoad(page: Page, options: { servers: string; namespace: string; reachable: boolean }): Promise<void> {
  try {
    await page.evaluate(({ reachable, ...options }) => {
      const connect = (): Promise<never> => Promise.reject(new Error("The server is unreachable"));
      globalThis.store = new keystore.NASKeyStore({ ...options, ...(reachable ? undefined : { connect }) });
    }, options);
    await page.evaluate(runLoad, AT_ONCE);
  } catch (error) {
    if (/closed|crashed/i.test(String(error))) return;
    throw error;
  }
  throw new Error("The load ended before the browser was killed");
}

function readAll(page: Page, namespace: string): Promise<Held[]> {
  return page.evaluate(
    async ([namespace, keys]) => {
      const connect = (): Promise<never> => Promise.reject(new Error("The server is unreachable"));
      const store = new keystore.NASKeyStore({ namespace, connect });
      const pending = new Map((await store.pendingWrites()).map(({ key, operation, version }) => [key, { operation, version }]));
      const held = await Promise.all(
        keys.map(async (key) => {
          const [value, metadata, pendingWrite] = [
            await store.retrieve<{ n: number }>(key, { useCache: false }),
            await store.getMetadata(key),
            pending.get(key),
          ];
          return {
            key,
            ...(value === undefined ? undefined : { value }),
            ...(metadata === undefined ? undefined : { version: metadata.version, pending: metadata.pending }),
            ...(pendingWrite === undefined ? undefined : { pendingWrite }),
          };
        }),
      );
      await store.close();
      return held;
    },
    [namespace, LOAD_KEYS] as const,
  );
}

/** Entries without their outbox record, outbox records without their entry, and entries that are neither pending nor published. */
function halfWritten(held: readonly Held[], messages: readonly WireMessage[]): string[] {
  return held.flatMap(({ key, value, version, pending, pendingWrite }) => {
    if (pendingWrite?.operation === "store" && (value === undefined || version !== pendingWrite.version)) {
      return `${key}: version ${pendingWrite.version} is pending, the entry has version ${version}`;
    }
    if (pendingWrite?.operation === "delete" && value !== undefined && pending !== true)
      return `${key}: its delete is pending, but the entry exists`;
    if (pending !== undefined && pending !== (pendingWrite !== undefined))
      return `${key}: pending ${pending}, but ${pendingWrite ? "" : "not "}in pendingWrites`;
    const read = messages.some(({ envelope }) => envelope?.key === key && envelope.value === JSON.stringify(value));
    if (value !== undefined && pendingWrite === undefined && !read) return `${key}: version ${version} is neither pending nor published`;
    return [];
  });
}

/** Pending entries for whose key pendingWrites names an older write. */
function wrongPending(held: readonly Held[]): string[] {
  return held.flatMap(({ key, version, pending, pendingWrite }) =>
    pending === true && pendingWrite?.operation === "delete"
      ? [`${key}: entry ${version} is pending, but pendingWrites names delete ${pendingWrite.version}`]
      : [],
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

/** Keys whose last message does not have the stored value. */
function unpublished(held: readonly Held[], messages: readonly WireMessage[]): string[] {
  return held.flatMap(({ key, value }) => {
    const last = messages.findLast(({ envelope }) => envelope?.key === key)?.envelope;
    const published = last?.operation === "store" ? last.value : undefined;
    return published === (value && JSON.stringify(value))
      ? []
      : `${key}: has ${value?.n}, but the last message is ${last?.operation} ${published}`;
  });
}
