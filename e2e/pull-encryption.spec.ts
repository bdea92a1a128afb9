import type { Page } from "@playwright/test";
import { expect, openDurable, pullIn, test } from "./support/durable.ts";
import { natsServers } from "./support/nats-servers.ts";
import { storedEntries } from "./support/stored-entries.ts";

const SECRET = "the secret value";

/** Makes a durable store that encrypts with keys from these passphrases. */
async function openEncrypted(
  page: Page,
  options: { servers: string; namespace: string },
  passphrases: readonly string[],
  messages: boolean,
): Promise<void> {
  await page.evaluate(([options, passphrases, messages]) => aids.openEncryptedStore({ ...options, durable: true }, passphrases, messages), [
    options,
    passphrases,
    messages,
  ] as const);
}

for (const tested of natsServers) {
  test(`encrypted messages are pulled without the key, kept, and read with it only, on ${tested.title}`, async ({
    page,
    startStream,
    openElsewhere,
    namespace,
  }) => {
    const { server, stream } = await startStream(tested);
    const options = { servers: server.wsUrl, namespace };
    await openEncrypted(page, options, ["right"], true);
    const stored = await page.evaluate(async (secret) => {
      const bytes = new Uint8Array(2_000).fill(7);
      return [await store.store("k", secret, { tags: ["t"] }), await store.store("bytes", bytes, { format: "binary", ttl: 86_400 })];
    }, SECRET);
    expect(stored).toEqual([true, true]);
    for (const { text } of (await stream.lastMessages()).values()) expect(text).not.toContain(SECRET);
    const own = await storedEntries(page);

    const withKey = await openElsewhere();
    await openEncrypted(withKey, options, ["new", "right"], true);
    expect(await pullIn(withKey)).toMatchObject({ applied: 2, rejected: 0 });
    expect([...(await storedEntries(withKey))]).toEqual([...own]);

    const withoutKey = await openElsewhere();
    for (const passphrases of [undefined, ["wrong"]]) {
      if (passphrases === undefined) await openDurable(withoutKey, options);
      else await openEncrypted(withoutKey, options, passphrases, true);
      const unread = new Map([...own].map(([key, entry]) => [key, { ...entry, value: "DECRYPT_FAILED" }]));
      expect(await pullIn(withoutKey)).toMatchObject({ applied: passphrases === undefined ? 2 : 0, rejected: 0 });
      expect([...(await storedEntries(withoutKey))]).toEqual([...unread]);
      expect((await withoutKey.evaluate(() => store.pull({ full: true }))).skipped).toBe(2);
      await withoutKey.evaluate(() => store.close());
    }
    await openEncrypted(withoutKey, options, ["right"], true);
    expect([...(await storedEntries(withoutKey))]).toEqual([...own]);
  });

  test(`messages in plain text are encrypted where they are pulled, with the key of each browser, on ${tested.title}`, async ({
    page,
    startStream,
    openElsewhere,
    namespace,
  }) => {
    const { server, stream } = await startStream(tested);
    const options = { servers: server.wsUrl, namespace };
    await openEncrypted(page, options, ["of this browser"], false);
    expect(await page.evaluate((secret) => store.store("k", secret), SECRET)).toBe(true);
    const [message] = [...(await stream.lastMessages()).values()];
    expect(message?.envelope?.value).toBe(JSON.stringify(SECRET));

    const encrypting = await openElsewhere();
    await openEncrypted(encrypting, options, ["of another browser"], false);
    expect(await pullIn(encrypting)).toMatchObject({ applied: 1, rejected: 0 });
    // The checksum of an entry that is encrypted at rest depends on the key.
    const { checksum: _, ...own } = (await storedEntries(page)).get("k")!;
    expect((await storedEntries(encrypting)).get("k")).toMatchObject(own);
    const raw = await encrypting.evaluate((namespace) => aids.rawEntry(namespace, "k"), namespace);
    expect(raw.payload).not.toContain(SECRET);
    await encrypting.evaluate(() => store.close());
    await openEncrypted(encrypting, options, ["wrong"], false);
    expect((await storedEntries(encrypting)).get("k")).toMatchObject({ value: "DECRYPT_FAILED", encrypted: true });
    await encrypting.evaluate(() => store.close());
    await openEncrypted(encrypting, options, ["of another browser"], false);
    expect((await storedEntries(encrypting)).get("k")?.value).toBe(JSON.stringify(SECRET));

    const plain = await openElsewhere();
    await openDurable(plain, options);
    expect(await pullIn(plain)).toMatchObject({ applied: 1, rejected: 0 });
    expect((await storedEntries(plain)).get("k")).toMatchObject({ value: JSON.stringify(SECRET), encrypted: false });
  });
}
