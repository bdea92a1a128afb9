import { setTimeout as sleep } from "node:timers/promises";
import type { Page } from "@playwright/test";
import { expect, openDurable, pullIn, test, visit } from "../support/durable.ts";
import { deleteOf, envelopeOf } from "../support/envelopes.ts";
import { byForm } from "../support/fault-run.ts";
import { natsServers } from "../support/nats-servers.ts";
import type { Random } from "../support/random.ts";
import { differences, storedEntries } from "../support/stored-entries.ts";

const KILLS = byForm(2, 10);
/** A kill may come when the pull has ended: a slow machine delays it. */
const MOST_ATTEMPTS = 5 * KILLS;
/** Batches have 1,000 messages at most. */
const KEYS = 3_000;
const CHANGES = 1_500;
/** The pull of the killed browser takes this long after each batch. */
const PAUSE_MS = 100;

for (const tested of natsServers) {
  test(`after ${KILLS} kills of the browser in the middle of a pull, the next pull ends with the same store as one that is not killed, on ${tested.title}`, async ({
    page,
    startStream,
    startBrowser,
    site,
    namespace,
    random,
    consoleGuard,
  }) => {
    consoleGuard.allowFailedSockets();
    const { server, stream } = await startStream(tested);
    const options = { servers: server.wsUrl, namespace };
    await stream.publishAll(Array.from({ length: KEYS }, (_, n) => envelopeOf(`k${n}`, { n }, { tags: [`t${n % 3}`] })));
    await openDurable(page, options);
    const browser = await startBrowser();

    let kills = 0;
    for (let attempt = 0; kills < KILLS; attempt++) {
      const run = `seed ${random.seed}, attempt ${attempt}`;
      expect(attempt, `${run}: ${kills} kills came before the end of a pull`).toBeLessThan(MOST_ATTEMPTS);
      const first = await visit(browser.context.pages()[0]!, site.url);
      await openDurable(first, options);
      // A first pull, then pulls of changes and first pulls again.
      const isFirst = attempt % 2 === 0;
      if (isFirst) await first.evaluate(() => store.clearCache());
      else await stream.publishAll(changes(random, attempt));
      const total = isFirst ? (await stream.state()).messages : CHANGES;

      const batch = random.int(0, Math.floor(total / 1_000) - 1);
      const pulled = pullSlowly(first, batch);
      await pulled.batchDone;
      await sleep(random.int(0, PAUSE_MS));
      await browser.kill();
      const { isComplete, done } = await pulled.ended;
      if (!isComplete) kills++;

      await browser.restart();
      const second = await visit(browser.context.pages()[0]!, site.url);
      await openDurable(second, options);
      const { applied, deleted, skipped, rejected, revision } = await pullIn(second);
      expect(revision, run).toBe((await stream.state()).last_seq);
      expect(rejected, run).toBe(0);
      // The progress is remembered a moment after it is reported.
      expect(applied + deleted + skipped, `${run}: messages of the second pull, after ${done} of ${total}`).toBeLessThanOrEqual(total);

      await pullIn(page);
      const [actual, expected] = [await storedEntries(second), await storedEntries(page)];
      expect(differences(actual, expected), run).toEqual([]);
      const last = await stream.lastMessages();
      const alive = [...last.values()].flatMap(({ envelope }) =>
        envelope?.operation === "store" ? [[envelope.key, envelope.value] as const] : [],
      );
      expect(differences(new Map([...actual].map(([key, { value }]) => [key, value])), new Map(alive)), run).toEqual([]);
    }
  });
}

/** Changes of some keys: new values, deletes, new keys. */
function changes(random: Random, attempt: number) {
  const from = random.int(0, KEYS - CHANGES);
  return Array.from({ length: CHANGES }, (_, n) => {
    const kind = random.int(0, 9);
    const version = attempt + 2;
    if (kind === 0) return deleteOf(`k${from + n}`, version);
    if (kind === 1) return envelopeOf(`new-${attempt}-${n}`, { attempt }, { version });
    return envelopeOf(`k${from + n}`, { n, attempt }, { version, updated_at: new Date().toISOString() });
  });
}

interface SlowPull {
  /** Resolves when this many batches are done, or the pull has ended. */
  readonly batchDone: Promise<void>;
  /** How many messages were done, and whether all of them were. */
  readonly ended: Promise<{ isComplete: boolean; done: number }>;
}

/** Pulls. The page is busy for a while after each batch, so that a kill comes in the middle. */
function pullSlowly(page: Page, batches: number): SlowPull {
  let reached = 0;
  let reportBatch = (): void => {};
  let steps = 0;
  const batchDone = new Promise<void>((resolve) => (reportBatch = resolve));
  const run = async (): Promise<{ isComplete: boolean; done: number }> => {
    try {
      await page.exposeFunction("progressed", (done: number) => {
        reached = done;
        if (++steps > batches) reportBatch();
      });
      await page.evaluate(async (pauseMs) => {
        const { progressed } = globalThis as unknown as { progressed: (done: number) => Promise<void> };
        void progressed(0);
        await store.pull({
          onProgress: (done) => {
            void progressed(done);
            for (const end = performance.now() + pauseMs; performance.now() < end;);
          },
        });
      }, PAUSE_MS);
      return { isComplete: true, done: reached };
    } catch (error) {
      if (!/closed|crashed/i.test(String(error))) throw error;
      return { isComplete: false, done: reached };
    } finally {
      reportBatch();
    }
  };
  return { batchDone, ended: run() };
}
