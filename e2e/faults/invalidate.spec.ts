import { expect, test } from "../support/faults.ts";

const ENTRIES = 10_000;

test("a tab that is killed in the middle of an invalidation leaves stale what it has marked, and the next call marks the rest", async ({
  page,
  nats,
  namespace,
}) => {
  const outcome = await page.evaluate(
    async ([servers, namespace, entries]) => {
      const living = (globalThis.store = new keystore.NASKeyStore({ servers, namespace }));
      await living.bulkStore(Object.fromEntries(Array.from({ length: entries }, (_, n) => [`k${n}`, n])), { tags: ["t"] });
      const worker = new Worker("worker.js", { type: "module" });
      const marked = new Set<string>();
      const begun = new Promise<void>((resolve) => {
        const channel = new BroadcastChannel(`nas-keystore/${namespace}`);
        channel.onmessage = ({ data }: MessageEvent<{ type: string; changes?: { type: string; key: string }[] }>) => {
          for (const { type, key } of data.changes ?? []) if (type === "invalidate") marked.add(key);
          if (marked.size > 0) resolve();
        };
      });
      worker.postMessage(["new", { servers, namespace }], {});
      worker.postMessage(["invalidate", { tag: "t" }], {});
      await begun;
      worker.terminate();
      const announced = marked.size;
      const [first = ""] = marked;
      const stale = (await living.getMetadata(first))?.stale;
      const rest = await living.invalidate({ tag: "t" });
      return { stale, rest, again: await living.invalidate({ tag: "t" }), announced, value: await living.retrieve(first) };
    },
    [nats.wsUrl, namespace, ENTRIES] as const,
  );
  const { announced, rest, value, ...facts } = outcome;
  expect(facts).toEqual({ stale: true, again: 0 });
  expect(typeof value).toBe("number");
  expect(rest).toBeGreaterThan(0);
  expect(rest).toBeLessThanOrEqual(ENTRIES - announced);
});
