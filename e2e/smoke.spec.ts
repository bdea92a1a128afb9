import { expect, test } from "./support/fixtures.ts";

test("the built library loads in a browser and publishes a write", async ({ page, nats, namespace, wire }) => {
  expect(await page.evaluate(() => typeof keystore.NASKeyStore)).toBe("function");

  const stored = await page.evaluate(
    async ([servers, namespace]) => {
      const store = new keystore.NASKeyStore({ servers, namespace, timeoutMs: aids.LONG_MS });
      const result = await store.store("a", { b: 1 });
      await store.close();
      return result;
    },
    [nats.wsUrl, namespace] as const,
  );
  expect(stored).toBe(true);

  const [message] = await wire.waitFor(1);
  expect(message?.subject).toBe(`_kv.${namespace}.key.a`);
  expect(message?.envelope).toMatchObject({ operation: "store", key: "a", value: '{"b":1}' });
  expect(await wire.settled()).toHaveLength(1);
});
