import type { Page } from "@playwright/test";
import { expect, openStoreIn, reload, test } from "./support/fixtures.ts";
import { keysOf } from "./support/messages.ts";

test.describe("rejected writes", () => {
  /** The server quotes the subject in its error, as Go's %q does. */
  const denied = ["denied", 'a"quoted"b', "back\\slash", "\\x41", "tab\tand\nline", "é", "\u200b", "\ue000", "😀", "'", "\\", '"', "a.b"];
  const granted = ["granted", 'also"granted"', "granted\\too"];
  const permissions = (namespace: string): string => {
    const subjects = granted.map((key) => JSON.stringify(`_kv.${namespace}.key.${key}`));
    const user = (name: string, rights: string) => `{ user: ${name}, password: pw${rights} }`;
    return `authorization { users: [ ${user("writer", `, permissions: { publish: { allow: [${subjects.join(", ")}] } }`)}, ${user("reader", "")} ] }`;
  };
  const writer = { user: "writer", pass: "pw" };
  const reader = { user: "reader", pass: "pw" };

  for (const client of ["nats.ws", "@nats-io/nats-core"]) {
    const open = async (page: Page, servers: string, namespace: string, connection: object): Promise<void> => {
      await page.evaluate(
        async ([client, options]) => {
          const connect = client === "nats.ws" ? {} : { connect: await aids.natsCoreConnect() };
          aids.openStore({ ...options, ...connect });
        },
        [client, { servers, namespace, connection }] as const,
      );
    };

    test(`a write rejects PUBLISH_REJECTED, is kept and blocks no other write when ${client} lacks the permission`, async ({
      page,
      startNats,
      openWire,
      namespace,
    }) => {
      const server = await startNats({ config: permissions(namespace) });
      const wire = await openWire(server, reader);
      await open(page, server.wsUrl, namespace, writer);
      const seen = await page.evaluate(
        async (keys) => {
          const outcomes = await Promise.all(
            keys.map(async (key) => {
              const refusal = await aids.refusalOf(async () => {
                if (!(await store.store(key, key))) throw new Error("queued");
              });
              return refusal === undefined ? "true" : (refusal.code ?? refusal.message);
            }),
          );
          return {
            outcomes,
            rows: await store.pendingWrites(),
            rejected: events.filter(({ type }) => type === "rejected").map(({ detail }) => detail),
            published: events.filter(({ type }) => type === "published").map(({ detail }) => String(detail.key)),
            kept: [...(await store.bulkRetrieve(keys, { useCache: false })).keys()],
            stats: await store.getStorageStats(),
            flushed: await store.flush(),
          };
        },
        [...denied, ...granted],
      );
      expect(seen.outcomes).toEqual([...denied.map(() => "PUBLISH_REJECTED"), ...granted.map(() => "true")]);
      expect(seen.rows.map(({ key }) => key).toSorted()).toEqual(denied.toSorted());
      for (const row of seen.rows) {
        expect(row).toEqual({
          key: row.key,
          operation: "store",
          version: 1,
          attempts: 1,
          lastError: expect.stringMatching(/permissions violation/i),
          rejected: true,
        });
      }
      expect(seen.rejected.map(({ key }) => String(key)).toSorted()).toEqual(denied.toSorted());
      for (const { error, version } of seen.rejected) {
        expect(error).toMatchObject({ code: "PUBLISH_REJECTED", isKeyStoreError: true });
        expect(version).toBe(1);
      }
      expect(seen.published.toSorted()).toEqual(granted.toSorted());
      expect(seen.kept).toEqual([...denied, ...granted]);
      expect(seen.stats).toMatchObject({ pendingWrites: 0, rejectedWrites: denied.length });
      expect(seen.flushed).toEqual({ published: 0, pending: 0, rejected: denied.length });
      await wire.waitFor(granted.length);
      expect(keysOf(await wire.settled()).toSorted()).toEqual(granted.toSorted());
    });

    test(`sequential writes reject PUBLISH_REJECTED each when ${client} lacks the permission`, async ({ page, startNats, namespace }) => {
      const server = await startNats({ config: permissions(namespace) });
      await open(page, server.wsUrl, namespace, writer);
      const outcomes = await page.evaluate(
        async (keys) => {
          const outcomes: unknown[] = [];
          for (const key of keys) outcomes.push((await aids.refusalOf(() => store.store(key, 1)))?.code);
          return outcomes;
        },
        ["denied", "granted", 'a"quoted"b', "denied"],
      );
      expect(outcomes).toEqual(["PUBLISH_REJECTED", undefined, "PUBLISH_REJECTED", "PUBLISH_REJECTED"]);
    });
  }

  test("bulkStore resolves false and dispatches an event for each rejected key", async ({ page, startNats, namespace }) => {
    const server = await startNats({ config: permissions(namespace) });
    await openStoreIn(page, { servers: server.wsUrl, namespace, connection: writer });
    const seen = await page.evaluate(async () => {
      const results = await store.bulkStore({ denied: 1, granted: 2, é: 3 });
      return [
        [...results],
        events
          .filter(({ type }) => type === "rejected")
          .map(({ detail }) => String(detail.key))
          .toSorted(),
      ];
    });
    expect(seen).toEqual([
      [
        ["denied", false],
        ["granted", true],
        ["é", false],
      ],
      ["denied", "é"],
    ]);
  });

  test("a rejected delete removes the entry and is kept in the outbox", async ({ page, startNats, namespace }) => {
    const server = await startNats({ config: permissions(namespace) });
    await openStoreIn(page, { servers: server.wsUrl, namespace, connection: writer });
    const seen = await page.evaluate(async () => {
      await aids.refusalOf(() => store.store("denied", 1));
      const refusal = await aids.refusalOf(() => store.delete("denied"));
      return [refusal?.code, refusal?.key, await store.exists("denied"), await store.pendingWrites()];
    });
    expect(seen).toMatchObject(["PUBLISH_REJECTED", "denied", false, [{ key: "denied", operation: "delete", version: 2, rejected: true }]]);
  });

  test("a rejected write is kept across clearCache and a reload", async ({ page, startNats, namespace }) => {
    const server = await startNats({ config: permissions(namespace) });
    const open = () => openStoreIn(page, { servers: server.wsUrl, namespace, connection: writer });
    await open();
    await page.evaluate(async () => {
      await aids.refusalOf(() => store.store("denied", 1));
      await store.clearCache();
    });
    await reload(page);
    await open();
    const seen = await page.evaluate(async () => ({
      value: await store.retrieve("denied"),
      rejected: (await store.pendingWrites()).map(({ rejected }) => rejected),
    }));
    expect(seen).toEqual({ value: 1, rejected: [true] });
  });

  test("a message over the server's limit rejects PUBLISH_REJECTED first and PAYLOAD_TOO_LARGE once the limit is known", async ({
    page,
    startNats,
    openWire,
    namespace,
  }) => {
    const server = await startNats({ config: "max_payload: 10000" });
    const wire = await openWire(server);
    await openStoreIn(page, { servers: server.wsUrl, namespace });
    const seen = await page.evaluate(async () => {
      const large = "x".repeat(20_000);
      const first = await aids.refusalOf(() => store.store("first", large));
      const second = await aids.refusalOf(() => store.store("second", large));
      const bulk = await aids.refusalOf(() => store.bulkStore({ small: 1, third: large }));
      return {
        codes: [first, second, bulk].map((refusal) => [refusal?.code, refusal?.key]),
        keys: await store.listKeys(),
        rows: (await store.pendingWrites()).map(({ key, rejected }) => [key, rejected]),
        small: await store.store("small", 1),
      };
    });
    expect(seen).toEqual({
      codes: [
        ["PUBLISH_REJECTED", "first"],
        ["PAYLOAD_TOO_LARGE", "second"],
        ["PAYLOAD_TOO_LARGE", "third"],
      ],
      keys: ["first"],
      rows: [["first", true]],
      small: true,
    });
    await wire.waitFor(1);
    expect(keysOf(await wire.settled())).toEqual(["small"]);
  });

  test("a message over maxPayloadBytes rejects PAYLOAD_TOO_LARGE before the commit", async ({ page, openStore, wire }) => {
    await openStore({ maxPayloadBytes: 5_000 });
    const seen = await page.evaluate(async () => {
      const large = "x".repeat(5_000);
      const code = async (work: () => unknown) => (await aids.refusalOf(work))?.code;
      await store.store("k", "small");
      return [
        await code(() => store.store("k", large)),
        await code(() => store.update("k", large)),
        await code(() => store.bulkStore({ other: 1, k: large })),
        await code(() => store.store("tags", 1, { tags: [large] })),
        await code(() => store.store("escaped", "\0".repeat(1_000))),
        await code(() => store.store("bytes", new Uint8Array(4_000), { format: "binary" })),
        await store.listKeys(),
        await store.retrieve("k", { useCache: false }),
      ];
    });
    expect(seen).toEqual([...Array.from({ length: 6 }, () => "PAYLOAD_TOO_LARGE"), ["k"], "small"]);
    await wire.waitFor(1);
    expect(await wire.settled()).toHaveLength(1);
  });

  test("a message of 1 MiB rejects PAYLOAD_TOO_LARGE by default, and a message of half a MiB is stored", async ({ page, openStore }) => {
    await openStore();
    const seen = await page.evaluate(async () => ({
      megabyte: (await aids.refusalOf(() => store.store("large", "x".repeat(1024 * 1024))))?.code,
      half: await store.store("half", "x".repeat(512 * 1024)),
    }));
    expect(seen).toEqual({ megabyte: "PAYLOAD_TOO_LARGE", half: true });
  });
});
