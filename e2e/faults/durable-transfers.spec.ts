import { setTimeout as sleep } from "node:timers/promises";
import type { Page } from "@playwright/test";
import { byForm } from "../support/fault-run.ts";
import { expect, test, visit } from "../support/faults.ts";
import { openStoreIn } from "../support/fixtures.ts";
import { natsServers } from "../support/nats-servers.ts";

const KILLS = byForm(3, 30);
const ACCOUNTS = Array.from({ length: 10 }, (_, index) => `account-${index}`);
const BALANCE = 1_000;
const TOTAL = ACCOUNTS.length * BALANCE;

/** Servers that have batches. */
const servers = natsServers.filter(({ version }) => Number(version.split(".")[1]) >= 12);

for (const { title, program } of servers) {
  test(`Transfers between 10 accounts keep their total when one of two browsers is killed ${KILLS} times (${title})`, async ({
    page,
    startNats,
    startBrowser,
    namespace,
    site,
    random,
    consoleGuard,
  }) => {
    consoleGuard.allowFailedSockets();
    const server = await startNats({ jetstream: true, program });
    const options = { servers: server.wsUrl, namespace, durable: true, lingerMs: 60_000 };
    await openStoreIn(page, options);
    await page.evaluate(
      async ([accounts, balance]) => {
        await store.ensureStream();
        await store.bulkStore(
          accounts.map((account) => [account, balance] as const),
          { atomic: true },
        );
      },
      [ACCOUNTS, BALANCE] as const,
    );
    const killable = await startBrowser();
    let made = 0;

    for (let kill = 0; kill < KILLS; kill++) {
      const victim = await visit(killable.context.pages()[0]!, site.url);
      await openStoreIn(victim, options);
      // What the browser missed when it was killed, and what the other one has done since.
      await victim.evaluate(() => store.pull());
      expect(await totalIn(victim), `kill ${kill}: the total of the killed browser`).toBe(TOTAL);

      const rounds = random.int(3, 15);
      let enough = (): void => {};
      const underLoad = new Promise<void>((resolve) => (enough = resolve));
      let transfers = 0;
      await victim.exposeFunction("transferred", () => void (++transfers >= rounds && enough()));
      const ended = transfer(victim, ACCOUNTS, Infinity).catch(() => 0);
      const others = transfer(page, ACCOUNTS, 20 + rounds);
      await Promise.race([underLoad, ended]);
      // A random pause, so that the kill interrupts a random step of a transfer.
      await sleep(random.int(0, 20));
      await killable.kill();
      await ended;
      made += transfers + (await others);
      await page.evaluate(() => store.pull());
      expect(await totalIn(page), `kill ${kill}, after ${made} transfers: the total of the stream`).toBe(TOTAL);
      await killable.restart();
    }
    expect(made).toBeGreaterThanOrEqual(KILLS * 20);
  });
}

/** Makes transfers in a browser, each a batch with the revisions of both accounts. Resolves to their number. */
function transfer(page: Page, accounts: readonly string[], transfers: number): Promise<number> {
  return page.evaluate(
    async ([accounts, transfers]) => {
      const { transferred } = globalThis as { transferred?: () => Promise<void> };
      const below = (limit: number): number => Math.floor(Math.random() * limit);
      let done = 0;
      while (done < (transfers ?? Infinity)) {
        const from = below(accounts.length);
        const to = (from + 1 + below(accounts.length - 1)) % accounts.length;
        const [payer, payee] = [accounts[from]!, accounts[to]!];
        const balances = await store.bulkRetrieve<number>([payer, payee]);
        const [a, b] = await Promise.all([payer, payee].map((account) => store.getMetadata(account)));
        const amount = below(100);
        try {
          await store.bulkStore(
            [
              [payer, balances.get(payer)! - amount, { ifRevision: a!.revision! }],
              [payee, balances.get(payee)! + amount, { ifRevision: b!.revision! }],
            ],
            { atomic: true },
          );
          done++;
          await transferred?.();
        } catch (error) {
          if ((error as { code?: string }).code !== "VERSION_CONFLICT") throw error;
          await store.pull();
        }
      }
      return done;
    },
    // JSON has no infinity.
    [accounts, transfers === Infinity ? undefined : transfers] as const,
  );
}

/** The sum of the balances that a browser has. */
function totalIn(page: Page): Promise<number> {
  return page.evaluate(async (accounts) => {
    const balances = await store.bulkRetrieve<number>(accounts);
    return [...balances.values()].reduce((sum, balance) => sum + balance, 0);
  }, ACCOUNTS);
}
