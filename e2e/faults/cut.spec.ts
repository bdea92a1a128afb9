import type { Page } from "@playwright/test";
import type { Cut, Cutter, Direction, Exchange } from "../support/cutter.ts";
import { LONG_MS } from "../support/deadline.ts";
import { byForm } from "../support/fault-run.ts";
import { expect, test, visit } from "../support/faults.ts";
import type { Outcome as CallOutcome } from "../support/observer.ts";
import type { Wire } from "../support/wire.ts";

/** What the page says of one exchange that was cut. */
interface ExchangeOutcome {
  store: CallOutcome<boolean>;
  delete: CallOutcome<boolean>;
  /** Keys of the `published` events so far. */
  published: string[];
  /** Keys that still wait. */
  pending: string[];
}

/** For calls that only the timeout can end. */
const SHORT_MS = 1_000;
const PONG = "PONG\r\n";
/** So many exchanges that are not made good for at once fail a test; more would only take long. */
const ENOUGH_LATE = 5;

for (const direction of ["up", "down"] as const) {
  for (const how of ["end", "reset"] as const) {
    test(`an outbox record is kept until a whole PONG arrives when the connection is cut ${direction} (${how})`, async ({
      page,
      nats,
      wire,
      namespace,
      openCutter,
      consoleGuard,
      site,
    }) => {
      consoleGuard.allowFailedSockets();
      const cutter = await openCutter(nats);
      const whole = await exchange(page, cutter, { namespace, timeoutMs: LONG_MS, name: "whole" });
      expect(whole.outcome, "the exchange that is not cut").toMatchObject({ store: { value: true }, pending: [] });

      const names: string[] = [];
      const late: string[] = [];
      const neverCut: string[] = [];
      for (const [index, after] of points(whole.recorded, direction, how).entries()) {
        const name = `${direction}-${how}-${after}`;
        names.push(name);
        const attempt = { namespace, timeoutMs: LONG_MS, name, cut: { direction, after, how } };
        const { outcome, recorded } = await exchange(page, cutter, attempt);
        expectKept(outcome, recorded, name);
        if (!recorded.wasCut) neverCut.push(name);

        cutter.mend();
        if (late.length < ENOUGH_LATE && !(await publishesAtOnce(page))) late.push(name);
        // A page's failed attempts make Chromium hold back its next ones; and a store that is late would hold up the next.
        if (index % 100 === 99 || late.at(-1) === name || late.length === ENOUGH_LATE) await visit(page, site.url);
      }
      await expectAllPublished(page, wire, { servers: cutter.wsUrl, namespace, names });
      // The last bytes of a connection follow after the calls have ended.
      expect(neverCut.length, `not cut: ${neverCut.join(", ")}`).toBeLessThan(names.length / 10);
      expect(late, "not published by two flushes, on connections that nobody cuts").toEqual([]);
    });
  }
}

test("an outbox record is kept when the server becomes silent in the middle of the exchange", async ({
  page,
  nats,
  wire,
  namespace,
  openCutter,
  consoleGuard,
  site,
}) => {
  consoleGuard.allowFailedSockets();
  const cutter = await openCutter(nats);
  const { down } = (await exchange(page, cutter, { namespace, timeoutMs: LONG_MS, name: "whole" })).recorded;
  const lastPong = down.toString("latin1").lastIndexOf(PONG);
  // From the WebSocket's acceptance on: what a browser does before is for fault-server.spec.ts.
  const accepted = down.indexOf("\r\n\r\n") + 4;
  const offsets = [accepted, accepted + 1, lastPong - 2, lastPong, lastPong + 2, lastPong + PONG.length - 1];

  const names: string[] = [];
  for (const after of byForm(
    offsets,
    Array.from({ length: offsets.at(-1)! - accepted + 1 }, (_, index) => accepted + index),
  )) {
    const name = `stall-${after}`;
    names.push(name);
    const attempt = { namespace, timeoutMs: SHORT_MS, name, cut: { direction: "down", after, how: "stall" } as const };
    const { outcome, recorded } = await exchange(page, cutter, attempt);
    expectKept(outcome, recorded, name);
    expect(outcome.store.value, name).toBe(false);
    cutter.mend();
    // The page goes, and the silent connection with it.
    await visit(page, site.url);
  }
  await expectAllPublished(page, wire, { servers: cutter.wsUrl, namespace, names });
});

/** Stores one key and deletes another, together, with a store that has met no failure yet. */
async function exchange(
  page: Page,
  cutter: Cutter,
  { namespace, timeoutMs, name, cut }: { namespace: string; timeoutMs: number; name: string; cut?: Cut },
): Promise<{ outcome: ExchangeOutcome; recorded: Exchange }> {
  await page.evaluate(() => (globalThis as Partial<typeof globalThis>).store?.close());
  const before = cutter.exchanges.length;
  if (cut !== undefined) cutter.cutNext(cut);
  const outcome = await page.evaluate(
    async ([servers, namespace, timeoutMs, name]): Promise<ExchangeOutcome> => {
      const store = (globalThis.store = new keystore.NASKeyStore({ servers, namespace, timeoutMs }));
      const published: string[] = [];
      store.addEventListener("published", ({ detail }) => published.push(detail.key));
      const [stored, deleted] = await Promise.all([
        observer.outcome(() => store.store(`stored-${name}`, { name })),
        observer.outcome(() => store.delete(`deleted-${name}`)),
      ]);
      const pending = (await store.pendingWrites()).map(({ key }) => key);
      return { store: stored, delete: deleted, published: [...published], pending };
    },
    [cutter.wsUrl, namespace, timeoutMs, name] as const,
  );
  const recorded = cutter.exchanges[before] ?? { up: Buffer.alloc(0), down: Buffer.alloc(0), wasCut: false };
  return { outcome, recorded };
}

function expectKept(outcome: ExchangeOutcome, recorded: Exchange, name: string): void {
  expect(outcome.store.error ?? outcome.delete.error, `${name}: the writes are accepted`).toBeUndefined();

  // The first PONG answers CONNECT's PING, the second says that the messages were read.
  const pongs = recorded.down.toString("latin1").split(PONG).length - 1;
  if (pongs >= 2) return;
  const keys = [`stored-${name}`, `deleted-${name}`];
  const cleared = keys.filter((key) => !outcome.pending.includes(key) || outcome.published.includes(key));
  expect(cleared, `${name}: cleared without a PONG`).toEqual([]);
  expect(outcome.store.value, `${name}: true without a PONG`).toBe(false);
}

/** Whether the store publishes what waits when told to. The first flush may join an attempt made on what was cut. */
function publishesAtOnce(page: Page): Promise<boolean> {
  return page.evaluate(async () => (await store.flush()).pending === 0 || (await store.flush()).pending === 0);
}

async function expectAllPublished(
  page: Page,
  wire: Wire,
  { servers, namespace, names }: { servers: string; namespace: string; names: string[] },
): Promise<void> {
  await page.evaluate(
    async ([servers, namespace]) => {
      await (globalThis as Partial<typeof globalThis>).store?.close();
      globalThis.store = new keystore.NASKeyStore({ servers, namespace, timeoutMs: aids.LONG_MS });
    },
    [servers, namespace] as const,
  );
  await expect.poll(() => page.evaluate(async () => (await store.flush()).pending), "pending at the end").toBe(0);
  const last = new Map((await wire.settled()).map(({ envelope }) => [envelope?.key, envelope?.operation]));
  for (const name of names) {
    expect(last.get(`stored-${name}`), `${name} is published`).toBe("store");
    expect(last.get(`deleted-${name}`), `${name} is published`).toBe("delete");
  }
}

/** After how many bytes to cut: all, or in the quick form every seventh (one way of cutting here, the other there) and the borders. */
function points(recorded: Exchange, direction: Direction, how: Cut["how"]): number[] {
  const { length } = recorded[direction];
  const all = Array.from({ length }, (_, index) => index + 1);
  const step = all.filter((at) => at % 14 === (how === "end" ? 0 : 7));
  return byForm(
    [...new Set([...step, ...borders(recorded, direction)])].toSorted((a, b) => a - b),
    all,
  );
}

/** Where something begins or ends, and one byte before and after. */
function borders(recorded: Exchange, direction: Direction): number[] {
  const bytes = recorded[direction];
  const ends = [...bytes.toString("latin1").matchAll(/\r\n\r\n|INFO |PONG\r\n/g)];
  return [1, bytes.length, ...ends.flatMap(({ index, 0: found }) => [index, index + found.length])]
    .flatMap((at) => [at - 1, at, at + 1])
    .filter((at) => at >= 1 && at <= bytes.length);
}
