import { expect, openDurable, test } from "../support/durable.ts";
import { envelopeOf } from "../support/envelopes.ts";
import { byForm } from "../support/fault-run.ts";
import { natsServers } from "../support/nats-servers.ts";

const KEYS = byForm(5_000, 100_000);

for (const tested of natsServers) {
  test(`a new browser pulls ${KEYS} keys, complete and verified, on ${tested.title}`, async ({ page, startStream, namespace }) => {
    const { server, stream } = await startStream(tested);
    for (let from = 0; from < KEYS; from += 1_000) {
      await stream.publishAll(
        Array.from({ length: 1_000 }, (_, n) => envelopeOf(`k${from + n}`, { n: from + n, text: "ä".repeat(n % 50) })),
      );
    }
    await openDurable(page, { servers: server.wsUrl, namespace });
    const { result, steps } = await page.evaluate(async () => {
      const steps: [done: number, total: number][] = [];
      const result = await store.pull({ onProgress: (...step) => void steps.push(step) });
      return { result, steps };
    });
    expect(result).toEqual({ applied: KEYS, deleted: 0, skipped: 0, rejected: 0, revision: KEYS });
    expect(steps.at(-1)).toEqual([KEYS, KEYS]);
    expect(steps.every(([done], index) => done > (steps[index - 1]?.[0] ?? 0))).toBe(true);

    const { count, wrong } = await page.evaluate(async () => {
      let count = 0;
      const wrong: string[] = [];
      for await (const [key, { n, text }, { revision }] of store.entries<{ n: number; text: string }>()) {
        count++;
        if (key !== `k${n}` || text !== "ä".repeat(n % 50) || revision !== n + 1) wrong.push(key);
      }
      return { count, wrong: wrong.slice(0, 10) };
    });
    expect({ count, wrong }).toEqual({ count: KEYS, wrong: [] });
  });
}
