import { setTimeout as sleep } from "node:timers/promises";
import type { Page } from "@playwright/test";
import { expect, openDurable, pullIn, test, visit } from "../support/durable.ts";
import { byForm } from "../support/fault-run.ts";
import type { KillableBrowser } from "../support/killable-browser.ts";
import type { Link } from "../support/link.ts";
import { entriesOf, isExpected, isExpired, modelStep, runSteps, SHORT_TTL } from "../support/model.ts";
import { natsServers } from "../support/nats-servers.ts";
import type { Random } from "../support/random.ts";
import { differences, storedEntries } from "../support/stored-entries.ts";
import type { Stream } from "../support/stream-client.ts";

const BROWSERS = 3;
/** Each ends with a comparison. */
const RUNS = byForm(1, 30);
/** Per browser and run. A round makes some calls at the same time. */
const ROUNDS = byForm(12, 25);
/** Of one browser per run, in a random round. */
const MOST_PAUSE_MS = 30;

/** A browser with a link of its own to the server. */
interface Member {
  readonly browser: KillableBrowser;
  readonly link: Link;
  page: Page;
}

for (const tested of natsServers) {
  test(`after random operations, outages and kills in ${BROWSERS} browsers, a last pull makes all stores equal to the stream, on ${tested.title}`, async ({
    startStream,
    startBrowser,
    openLink,
    site,
    namespace,
    random,
    consoleGuard,
  }) => {
    consoleGuard.allowFailedSockets();
    const { server, stream } = await startStream(tested);
    const open = async (browser: KillableBrowser, link: Link): Promise<Page> => {
      const page = await visit(browser.context.pages()[0]!, site.url);
      await openDurable(page, { servers: link.wsUrl, namespace });
      return page;
    };
    const members: Member[] = [];
    for (let n = 0; n < BROWSERS; n++) {
      const [browser, link] = [await startBrowser(), await openLink(server)];
      members.push({ browser, link, page: await open(browser, link) });
    }
    const unexpected: string[] = [];

    /** Operations of one browser. It is offline in some rounds, and is killed in one if it is to be. */
    const operate = async (member: Member, own: Random, name: string, killIn: number): Promise<void> => {
      for (let round = 0; round < ROUNDS; round++) {
        const steps = Array.from({ length: own.int(1, 4) }, (_, n) => modelStep(own, `${name}-${round}-${n}`));
        const [linkChanges, pause] = [own.int(1, 4) === 1, own.int(0, MOST_PAUSE_MS)];
        const running = member.page.evaluate(runSteps, steps);
        const ended = running.then(
          (errors) => void unexpected.push(...errors.filter((error) => !isExpected(error))),
          (error: unknown) => {
            if (round !== killIn || !/closed|crashed/i.test(String(error))) unexpected.push(String(error));
          },
        );
        // In the middle of the calls.
        await sleep(pause);
        if (linkChanges) await member.link.cut();
        if (round === killIn) {
          await member.browser.kill();
          await ended;
          await member.browser.restart();
          member.page = await open(member.browser, member.link);
        }
        await ended;
        if (own.int(1, 2) === 1) await member.link.mend();
      }
      await member.link.mend();
    };

    for (let run = 0; run < RUNS; run++) {
      const killed = random.int(0, BROWSERS - 1);
      const what = `seed ${random.seed}, run ${run}`;
      const work = members.map((member, n) => {
        const own = random.fork();
        return operate(member, own, `${n}-${run}`, n === killed ? own.int(1, ROUNDS - 1) : -1);
      });
      await Promise.all(work);
      expect(unexpected, `${what}: errors`).toEqual([]);

      for (const { page } of members) await expect.poll(() => flushIn(page), what).toEqual({ pending: 0, rejected: 0 });
      await untilExpired(stream, tested.version);
      for (const { page } of members) expect((await pullIn(page)).rejected, what).toBe(0);
      const expected = entriesOf((await stream.lastMessages()).values());
      for (const [n, { page }] of members.entries()) {
        expect(differences(await storedEntries(page), expected), `${what}: browser ${n}`).toEqual([]);
      }
    }
  });
}

function flushIn(page: Page): Promise<{ pending: number; rejected: number }> {
  return page.evaluate(async () => {
    const { pending, rejected } = await store.flush();
    return { pending, rejected };
  });
}

/** Resolves when all entries with a short TTL have expired, and are removed from the stream if the server does that. */
async function untilExpired(stream: Stream, version: string): Promise<void> {
  await sleep(SHORT_TTL * 1000 + 100);
  if (Number(version.split(".")[1]) < 11) return;
  const expired = async () =>
    [...(await stream.lastMessages()).values()].filter(({ envelope }) => envelope?.metadata && isExpired(envelope.metadata));
  await expect.poll(async () => (await expired()).length, "expired messages in the stream").toBe(0);
}
