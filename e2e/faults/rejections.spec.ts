import { byForm } from "../support/fault-run.ts";
import { expect, test } from "../support/faults.ts";
import { flushAll } from "../support/flush-all.ts";
import { openStoreIn, reload } from "../support/fixtures.ts";
import type { NatsServerOptions } from "../support/nats-server.ts";

const WRITES = byForm(1_000, 1_000);
const KEYS = Array.from({ length: WRITES }, (_, i) => `k${String(i).padStart(4, "0")}`);
const DENIED = KEYS.filter((_, i) => i % 10 === 9);
const CREDENTIALS = { user: "page", pass: "page-secret" };
const ADMIN = { user: "admin", pass: "admin-secret" };

/** A server on which the page's user may publish every key of the namespace except these. */
function permitting(namespace: string, denied: readonly string[]): NatsServerOptions {
  const deny = denied.map((key) => `"_kv.${namespace}.key.${key}"`).join(", ");
  return {
    config: `authorization { users: [
      { user: "admin", password: "admin-secret" }
      { user: "page", password: "page-secret", permissions: {
        publish: { allow: ["_kv.${namespace}.>"], deny: [${deny}] }
        subscribe: { deny: [">"] } } }
    ] }`,
  };
}

test(`exactly the denied writes of ${WRITES} are rejected when every tenth is denied, and they are published once they are permitted`, async ({
  page,
  startNats,
  openWire,
  namespace,
}) => {
  const server = await startNats(permitting(namespace, DENIED));
  const wire = await openWire(server, ADMIN);
  await openStoreIn(page, { servers: server.wsUrl, namespace, connection: CREDENTIALS, lingerMs: 1_000 });
  const outcomes = await page.evaluate(async (keys) => {
    const outcomes: Record<string, string[]> = {};
    // Ten at a time, so that rejected and accepted writes share a flush.
    for (let at = 0; at < keys.length; at += 10) {
      await Promise.all(
        keys.slice(at, at + 10).map(async (key) => {
          const outcome = await store.store(key, { key }).then(String, (error: { code?: string }) => String(error.code));
          (outcomes[outcome] ??= []).push(key);
        }),
      );
    }
    return outcomes;
  }, KEYS);
  const allowed = KEYS.filter((key) => !DENIED.includes(key));
  expect(Object.keys(outcomes).toSorted()).toEqual(["PUBLISH_REJECTED", "true"]);
  expect(outcomes["PUBLISH_REJECTED"]?.toSorted()).toEqual(DENIED);
  expect(outcomes["true"]?.toSorted()).toEqual(allowed);

  const keysOf = async (): Promise<(string | undefined)[]> => (await wire.settled()).map(({ envelope }) => envelope?.key);
  expect((await keysOf()).toSorted()).toEqual(allowed);
  const events = await page.evaluate(() => globalThis.events);
  const eventsOf = (type: string): (string | undefined)[] => events.filter((event) => event.type === type).map(({ detail }) => detail.key);
  expect(eventsOf("rejected").toSorted()).toEqual(DENIED);
  expect(eventsOf("published").toSorted()).toEqual(allowed);
  for (const { type, detail } of events) {
    if (type === "rejected")
      expect(detail).toMatchObject({ version: 1, error: { code: "PUBLISH_REJECTED", key: detail.key, isKeyStoreError: true } });
    expect(JSON.stringify(detail)).not.toContain("page-secret");
  }

  const rejected = await page.evaluate(() => store.pendingWrites());
  expect(rejected.map(({ key }) => key).toSorted()).toEqual(DENIED);
  for (const write of rejected)
    expect(write).toMatchObject({ operation: "store", version: 1, rejected: true, lastError: expect.stringMatching(/permission/i) });
  expect(await page.evaluate(() => store.getStorageStats())).toMatchObject({
    entries: WRITES,
    pendingWrites: 0,
    rejectedWrites: DENIED.length,
  });
  // The entries are kept, and rejected writes are not retried automatically.
  expect(await page.evaluate((keys) => store.bulkRetrieve(keys).then((found) => found.size), KEYS)).toBe(WRITES);
  expect(await page.evaluate(() => store.flush())).toEqual({ published: 0, pending: 0, rejected: DENIED.length });
  await page.evaluate(() => store.close());
  await openStoreIn(page, { servers: server.wsUrl, namespace, connection: CREDENTIALS, lingerMs: 1_000 });
  expect(await page.evaluate(() => store.flush())).toEqual({ published: 0, pending: 0, rejected: DENIED.length });
  expect((await keysOf()).toSorted()).toEqual(allowed);

  // A retry that the server rejects dispatches one event for each write.
  expect(await page.evaluate(() => store.retryRejected())).toBe(DENIED.length);
  await page.evaluate((count) => aids.happened("rejected", count), DENIED.length);
  expect(await page.evaluate(() => store.flush())).toEqual({ published: 0, pending: 0, rejected: DENIED.length });
  expect((await page.evaluate(() => store.pendingWrites())).every(({ attempts, rejected }) => attempts === 2 && rejected)).toBe(true);

  await server.restart(permitting(namespace, DENIED.slice(0, 1)));
  const later = await openWire(server, ADMIN);
  expect(await page.evaluate(() => store.retryRejected())).toBe(DENIED.length);
  await later.waitFor(DENIED.length - 1);
  const retried = await later.settled();
  expect(retried.map(({ envelope }) => envelope?.key).toSorted()).toEqual(DENIED.slice(1));
  for (const { envelope } of retried)
    expect(envelope).toMatchObject({ operation: "store", value: JSON.stringify({ key: envelope?.key }), metadata: { version: 1 } });
  await expect
    .poll(() => page.evaluate(() => store.pendingWrites().then((writes) => writes.map(({ key, rejected }) => [key, rejected]))))
    .toEqual([[DENIED[0], true]]);
});

test("retryRejected and discardRejected handle one key or all keys and keep the entries", async ({
  page,
  startNats,
  openWire,
  namespace,
}) => {
  const denied = ["a", "b", "c", "d"];
  const server = await startNats(permitting(namespace, denied));
  await openStoreIn(page, { servers: server.wsUrl, namespace, connection: CREDENTIALS });
  const rejectedKeys = (): Promise<string[]> => page.evaluate(async () => (await store.pendingWrites()).map(({ key }) => key).toSorted());
  expect(await page.evaluate(() => store.bulkStore({ a: 1, b: 2, c: 3, d: 4, fine: 5 }).then((results) => [...results]))).toEqual([
    ["a", false],
    ["b", false],
    ["c", false],
    ["d", false],
    ["fine", true],
  ]);
  expect(await rejectedKeys()).toEqual(denied);
  expect(await page.evaluate(() => store.retryRejected("fine"))).toBe(0);
  expect(await page.evaluate(() => store.discardRejected("absent"))).toBe(0);

  await server.restart(permitting(namespace, []));
  const wire = await openWire(server, ADMIN);
  expect(await page.evaluate(() => store.retryRejected("b"))).toBe(1);
  await wire.waitFor(1);
  await expect.poll(rejectedKeys).toEqual(["a", "c", "d"]);
  expect(await page.evaluate(() => store.discardRejected("c"))).toBe(1);
  expect(await rejectedKeys()).toEqual(["a", "d"]);
  expect(await page.evaluate(() => store.discardRejected())).toBe(2);
  expect(await rejectedKeys()).toEqual([]);
  expect(await page.evaluate(() => store.getStorageStats())).toMatchObject({ entries: 5, pendingWrites: 0, rejectedWrites: 0 });
  expect(await page.evaluate(() => store.bulkRetrieve(["a", "b", "c", "d", "fine"]).then((found) => [...found.values()]))).toEqual([
    1, 2, 3, 4, 5,
  ]);
  expect(await page.evaluate(() => store.getMetadata("a").then((metadata) => metadata?.pending))).toBe(false);
  // Discarded writes are not sent, not even after a reload.
  await reload(page);
  await openStoreIn(page, { servers: server.wsUrl, namespace, connection: CREDENTIALS });
  expect(await page.evaluate(() => store.flush())).toEqual({ published: 0, pending: 0, rejected: 0 });
  expect((await wire.settled()).map(({ envelope }) => envelope?.key)).toEqual(["b"]);
});

test("a rejected delete is kept, retried and discarded as a rejected store is", async ({ page, startNats, openWire, namespace }) => {
  const server = await startNats(permitting(namespace, []));
  await openStoreIn(page, { servers: server.wsUrl, namespace, connection: CREDENTIALS });
  await page.evaluate(() => store.bulkStore({ a: 1, b: 2 }));
  await server.restart(permitting(namespace, ["a", "b"]));
  for (const key of ["a", "b"]) {
    const refusal = await page.evaluate((key) => aids.refusalOf(() => store.delete(key)), key);
    expect(refusal).toMatchObject({ code: "PUBLISH_REJECTED", key });
  }
  expect(await page.evaluate(() => store.pendingWrites())).toMatchObject([
    { key: "a", operation: "delete", version: 2, rejected: true },
    { key: "b", operation: "delete", version: 2, rejected: true },
  ]);
  expect(await page.evaluate(() => store.listKeys())).toEqual([]);
  expect(await page.evaluate(() => store.discardRejected("b"))).toBe(1);

  await server.restart(permitting(namespace, []));
  const wire = await openWire(server, ADMIN);
  expect(await page.evaluate(() => store.retryRejected())).toBe(1);
  const [message] = await wire.waitFor(1);
  expect(message?.envelope).toMatchObject({ operation: "delete", key: "a", version: 2 });
  await expect.poll(() => page.evaluate(() => store.pendingWrites())).toEqual([]);
  // A discarded delete leaves nothing of the key but its version.
  await page.evaluate(() => store.bulkStore({ a: 3, b: 4 }));
  for (const key of ["a", "b"]) expect(await page.evaluate((key) => store.getMetadata(key), key)).toMatchObject({ version: 3 });
});

test("a rejected write blocks no other write, and a newer version replaces it", async ({ page, startNats, openWire, namespace }) => {
  const server = await startNats(permitting(namespace, ["a"]));
  const wire = await openWire(server, ADMIN);
  await openStoreIn(page, { servers: server.wsUrl, namespace, connection: CREDENTIALS });
  const codes = await page.evaluate(async () => {
    const codes: string[] = [];
    for (let i = 1; i <= 3; i++) {
      await Promise.all([store.store("a", i).catch((error: { code: string }) => codes.push(error.code)), store.store("b", i)]);
    }
    return codes;
  });
  expect(codes).toEqual(["PUBLISH_REJECTED", "PUBLISH_REJECTED", "PUBLISH_REJECTED"]);
  expect((await wire.settled()).map(({ envelope }) => envelope?.value)).toEqual(["1", "2", "3"]);
  // Only the newest write is left.
  expect(await page.evaluate(() => store.pendingWrites())).toMatchObject([{ key: "a", version: 3, rejected: true }]);
  expect(await page.evaluate(() => store.getStorageStats())).toMatchObject({ pendingWrites: 0, rejectedWrites: 1 });

  await server.restart(permitting(namespace, []));
  const later = await openWire(server, ADMIN);
  // The newer version is sent without retryRejected, and supersedes the rejected one.
  expect(await page.evaluate(() => store.store("a", 4))).toBe(true);
  expect(await page.evaluate(() => store.pendingWrites())).toEqual([]);
  expect(await page.evaluate(() => store.retryRejected())).toBe(0);
  expect(await page.evaluate(() => store.flush())).toEqual({ published: 0, pending: 0, rejected: 0 });
  const sent = await later.settled();
  expect(sent.map(({ envelope }) => envelope)).toMatchObject([{ value: "4", metadata: { version: 4 } }]);
});

test("the server rejects queued writes one by one when it is reachable again", async ({
  page,
  startNats,
  openLink,
  openWire,
  namespace,
  consoleGuard,
}) => {
  consoleGuard.allowFailedSockets();
  const server = await startNats(permitting(namespace, []));
  const link = await openLink(server);
  await link.cut();
  await openStoreIn(page, { servers: link.wsUrl, namespace, connection: CREDENTIALS });
  await page.evaluate(async () => {
    for (let i = 0; i < 20; i++) await store.store(`k${i}`, i);
    await store.bulkStore(Array.from({ length: 20 }, (_, i): [string, number] => [`k${20 + i}`, i]));
  });
  await server.restart(permitting(namespace, ["k3", "k7", "k25", "k26", "k39"]));
  const wire = await openWire(server, ADMIN);
  await link.mend();
  await flushAll(page);
  await wire.waitFor(35);
  expect(await page.evaluate(() => store.flush())).toEqual({ published: 0, pending: 0, rejected: 5 });
  const left = await page.evaluate(() => store.pendingWrites());
  expect(left.map(({ key }) => key).toSorted()).toEqual(["k25", "k26", "k3", "k39", "k7"]);
  expect(await wire.settled()).toHaveLength(35);
});

test("only a message over the server's limit is rejected, and it is kept", async ({
  page,
  startNats,
  openLink,
  openWire,
  namespace,
  consoleGuard,
}) => {
  consoleGuard.allowFailedSockets();
  const server = await startNats({ config: "max_payload: 4096" });
  const wire = await openWire(server);
  const link = await openLink(server);
  await link.cut();
  // The store does not know the server's limit yet.
  await openStoreIn(page, { servers: link.wsUrl, namespace });
  await page.evaluate(() => store.bulkStore({ small: 1, large: "x".repeat(5_000), little: 2 }));
  await link.mend();
  await flushAll(page);
  await wire.waitFor(2);
  expect(await page.evaluate(() => store.pendingWrites())).toMatchObject([{ key: "large", rejected: true }]);
  // The store knows the limit from its first connection on.
  expect(await page.evaluate(() => aids.refusalOf(() => store.store("larger", "x".repeat(5_000))))).toMatchObject({
    code: "PAYLOAD_TOO_LARGE",
  });
  expect(await page.evaluate(() => store.exists("larger"))).toBe(false);
  await server.restart({});
  const later = await openWire(server);
  expect(await page.evaluate(() => store.retryRejected())).toBe(1);
  const [message] = await later.waitFor(1);
  expect(message?.envelope?.key).toBe("large");
});
