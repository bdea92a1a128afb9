import type { Page } from "@playwright/test";
import type { Cut, Cutter, Direction, Exchange } from "../support/cutter.ts";
import { LONG_MS } from "../support/deadline.ts";
import { byForm } from "../support/fault-run.ts";
import { expect, test, visit } from "../support/faults.ts";
import type { Outcome as CallOutcome } from "../support/observer.ts";
import type { Wire } from "../support/wire.ts";

/** The results of an exchange in the page. */
interface ExchangeOutcome {
  store: CallOutcome<boolean>;
  delete: CallOutcome<boolean>;
  /** Keys of the `published` events so far. */
  published: string[];
  /** Keys of pending writes. */
  pending: string[];
}

/** The `timeoutMs` of calls that only the timeout ends. */
const SHORT_MS = 1_000;
const PONG = "PONG\r\n";
/** After this many exchanges whose writes two flushes do not publish, the test flushes no more: it fails in any case. */
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
        if (late.length < ENOUGH_LATE && !(await publishesInTwoFlushes(page))) late.push(name);
        // Chromium delays the connections of a page with many failed ones, and a late store would delay the next.
        if (index % 100 === 99 || late.at(-1) === name || late.length === ENOUGH_LATE) await visit(page, site.url);
      }
      await expectAllPublished(page, wire, { servers: cutter.wsUrl, namespace, names });
      // A cut in the last bytes of a connection comes after the calls have settled.
      expect(neverCut.length, `not cut: ${neverCut.join(", ")}`).toBeLessThan(names.length / 10);
      expect(late, "not published by two flushes on connections that are not cut").toEqual([]);
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
  // Begins after the WebSocket handshake: fault-server.spec.ts tests the steps before.
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
    // Ends the silent connection.
    await visit(page, site.url);
  }
  await expectAllPublished(page, wire, { servers: cutter.wsUrl, namespace, names });
});

/** Stores one key and deletes another at the same time, with a new store. */
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

  // The first PONG answers the PING of CONNECT. The second confirms the messages.
  const pongs = recorded.down.toString("latin1").split(PONG).length - 1;
  if (pongs >= 2) return;
  const keys = [`stored-${name}`, `deleted-${name}`];
  const cleared = keys.filter((key) => !outcome.pending.includes(key) || outcome.published.includes(key));
  expect(cleared, `${name}: cleared without a PONG`).toEqual([]);
  expect(outcome.store.value, `${name}: true without a PONG`).toBe(false);
}

/** Whether two flushes publish the pending writes. The first one may join an attempt on the connection that was cut. */
function publishesInTwoFlushes(page: Page): Promise<boolean> {
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

/** The numbers of bytes after which to cut: all, or in the quick form the borders and every fourteenth, at different numbers for the two ways of cutting. */
function points(recorded: Exchange, direction: Direction, how: Cut["how"]): number[] {
  const { length } = recorded[direction];
  const all = Array.from({ length }, (_, index) => index + 1);
  const step = all.filter((at) => at % 14 === (how === "end" ? 0 : 7));
  return byForm(
    [...new Set([...step, ...borders(recorded, direction)])].toSorted((a, b) => a - b),
    all,
  );
}

/** The first and last byte of each protocol part, and the bytes beside them. */
function borders(recorded: Exchange, direction: Direction): number[] {
  const bytes = recorded[direction];
  const ends = [...bytes.toString("latin1").matchAll(/\r\n\r\n|INFO |PONG\r\n/g)];
  return [1, bytes.length, ...ends.flatMap(({ index, 0: found }) => [index, index + found.length])]
    .flatMap((at) => [at - 1, at, at + 1])
    .filter((at) => at >= 1 && at <= bytes.length);
}
