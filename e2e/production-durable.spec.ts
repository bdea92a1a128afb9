import type { Page } from "@playwright/test";
import { connect, type JetStreamManager } from "nats";
import { ADMINISTRATOR, BACKEND, BILLING, DURABLE_PASSWORDS, logIn, SHOP } from "./support/production/accounts.ts";
import { natsServers } from "./support/nats-servers.ts";
import { expect, test as base } from "./support/production/fixtures.ts";
import type { ProductionServer } from "./support/production/server.ts";

/** docs/production/nats-server-durable.conf: what pages may request, and what they may not. */

interface Durable {
  readonly server: ProductionServer;
  readonly administrator: JetStreamManager;
}

const test = base.extend<{ durable: Durable; binary: string | undefined }>({
  binary: [undefined, { option: true }],
  /** A server with the streams of two namespaces. */
  durable: async ({ start, certificates, binary }, use) => {
    const server = await start({ configuration: "nats-server-durable.conf", secrets: DURABLE_PASSWORDS, binary });
    const connection = await connect({
      servers: server.tcpUrl,
      tls: { ca: certificates.ca },
      reconnect: false,
      user: "administrator",
      pass: ADMINISTRATOR,
    });
    const administrator = await connection.jetstreamManager();
    for (const namespace of ["shop", "billing"]) await addStream(administrator, namespace);
    await use({ server, administrator });
    await connection.close();
  },
});

const asBackend = { user: "backend", pass: BACKEND };

async function openStore(
  page: Page,
  server: ProductionServer,
  options: { user?: string; pass?: string; timeoutMs?: number } = {},
): Promise<void> {
  const { user = "shop", pass = SHOP, ...others } = options;
  await logIn(page, { user, pass });
  await page.evaluate((where) => login.openDurable(where), { servers: server.wsUrl, namespace: "shop", ...others });
}

async function connectRaw(page: Page, server: ProductionServer, user = "shop", pass = SHOP): Promise<void> {
  await page.evaluate(async (args) => void (globalThis.raw = await login.connectRaw(...args)), [server.wsUrl, user, pass] as const);
}

/** As the commands of docs/PRODUCTION.md do. */
async function addStream(administrator: JetStreamManager, namespace: string): Promise<void> {
  await administrator.streams.add({
    name: `NAS_${namespace}`,
    subjects: [`_kv.${namespace}.key.>`],
    max_msgs_per_subject: 1,
    allow_direct: true,
  });
}

/** The names, the configurations and the last sequence numbers of all streams. */
async function streams(administrator: JetStreamManager): Promise<unknown> {
  const all = await administrator.streams.list().next();
  return all
    .map(({ config, state: { last_seq, messages } }) => ({ config, last_seq, messages }))
    .toSorted((a, b) => (a.config.name < b.config.name ? -1 : 1));
}

for (const { title, program } of natsServers) {
  test.describe(`the configuration of durable mode, ${title}`, () => {
    test.use({ binary: program });

    test("a page may write to its stream, and read it by each way that the library has", async ({ page, durable, listen }) => {
      const ear = await listen(durable.server, "_kv.>", asBackend);
      await connectRaw(page, durable.server);
      const outcomes = await page.evaluate(async () => ({
        stored: await raw.ask("_kv.shop.key.a", "1", "first", "id-1"),
        storedTwice: await raw.ask("_kv.shop.key.a", "1", "first", "id-1"),
        info: await raw.ask("$JS.API.STREAM.INFO.NAS_shop", ""),
        one: await raw.ask("$JS.API.STREAM.MSG.GET.NAS_shop", { last_by_subj: "_kv.shop.key.a" }),
        direct: await raw.ask("$JS.API.DIRECT.GET.NAS_shop", { last_by_subj: "_kv.shop.key.a" }),
        bySubject: await raw.ask("$JS.API.DIRECT.GET.NAS_shop._kv.shop.key.a", ""),
        consumer: await raw.ask("$JS.API.CONSUMER.CREATE.NAS_shop.c._kv.shop.key.>", {
          stream_name: "NAS_shop",
          config: {
            name: "c",
            filter_subject: "_kv.shop.key.>",
            ack_policy: "none",
            deliver_policy: "last_per_subject",
            mem_storage: true,
          },
        }),
        next: await raw.ask("$JS.API.CONSUMER.MSG.NEXT.NAS_shop.c", { batch: 10, no_wait: true }, "status"),
        deleted: await raw.ask("$JS.API.CONSUMER.DELETE.NAS_shop.c", ""),
      }));
      const first = (text: string): unknown => [expect.objectContaining({ text: expect.stringContaining(text) })];
      expect(outcomes).toEqual({
        stored: first('"seq":1'),
        storedTwice: first('"duplicate"'),
        info: first('"messages":1'),
        one: first('"seq":1'),
        direct: first("1"),
        bySubject: first("1"),
        consumer: first('"num_pending":1'),
        next: [{ subject: "_kv.shop.key.a", status: 0, text: "1" }, expect.anything()],
        deleted: first('"success":true'),
      });
      expect((await ear.settled()).map(({ subject, data }) => [subject, data])).toEqual([
        ["_kv.shop.key.a", "1"],
        ["_kv.shop.key.a", "1"],
      ]);
    });

    test("a page may not create, change, purge or delete a stream or a message, nor use the stream of another namespace", async ({
      page,
      durable,
    }) => {
      await connectRaw(page, durable.server);
      const before = await streams(durable.administrator);
      const forbidden = [
        "$JS.API.STREAM.CREATE.NAS_new",
        "$JS.API.STREAM.UPDATE.NAS_shop",
        "$JS.API.STREAM.PURGE.NAS_shop",
        "$JS.API.STREAM.DELETE.NAS_shop",
        "$JS.API.STREAM.MSG.DELETE.NAS_shop",
        "$JS.API.STREAM.RESTORE.NAS_shop",
        "$JS.API.STREAM.SNAPSHOT.NAS_shop",
        "$JS.API.STREAM.NAMES",
        "$JS.API.STREAM.LIST",
        "$JS.API.CONSUMER.DURABLE.CREATE.NAS_shop.c",
        "$JS.API.DIRECT.GET.NAS_billing",
        "$JS.API.DIRECT.GET.NAS_billing._kv.billing.key.a",
        "$JS.API.CONSUMER.MSG.NEXT.NAS_billing.c",
        "_kv.billing.key.a",
      ];
      const outcomes = await page.evaluate((subjects) => Promise.all(subjects.map((subject) => raw.ask(subject, ""))), forbidden);
      expect(outcomes).toEqual(forbidden.map((subject) => expect.stringContaining(`Permissions Violation for Publish to "${subject}"`)));
      // These have another name in the account of pages, which a refusal quotes.
      const renamed = {
        "$JS.API.STREAM.INFO.NAS_billing": "pages.info.NAS_billing",
        "$JS.API.STREAM.MSG.GET.NAS_billing": "pages.get.NAS_billing",
        "$JS.API.CONSUMER.CREATE.NAS_billing.c": "pages.create.NAS_billing.c",
        "$JS.API.CONSUMER.DELETE.NAS_billing.c": "pages.delete.NAS_billing.c",
      };
      for (const [subject, name] of Object.entries(renamed)) {
        await page.evaluate((subject) => raw.askFor("_INBOX_shop.a", subject, "{}"), subject);
        await expect.poll(() => durable.server.log()).toMatch(new RegExp(`Publish Violation.* Subject "${name.replaceAll(".", "\\.")}"`));
      }
      expect(await streams(durable.administrator)).toEqual(before);
    });

    test("a page may not subscribe to the inbox of another user, nor to the writes of any namespace", async ({ page, durable }) => {
      await connectRaw(page, durable.server);
      const subjects = [
        ">",
        "_INBOX.>",
        "_INBOX_billing.>",
        "_INBOX_billing.a",
        "*.a",
        "_kv.>",
        "_kv.shop.key.*",
        "$JS.>",
        "_R_.>",
        "pages.>",
      ];
      const outcomes = await page.evaluate(async (subjects) => {
        const outcomes: string[] = [];
        for (const subject of subjects) outcomes.push(await raw.subscribe(subject));
        return [...outcomes, await raw.subscribe("_INBOX_shop.a")];
      }, subjects);
      expect(outcomes).toEqual([
        ...subjects.map((subject) => expect.stringContaining(`Permissions Violation for Subscription to "${subject}"`)),
        "subscribed",
      ]);
    });

    test("the answer to a request reaches no stream and no service, whatever reply subject the request names", async ({
      page,
      visit,
      app,
      durable,
      listen,
    }) => {
      const owner = await visit(app);
      await connectRaw(owner, durable.server, "billing", BILLING);
      await owner.evaluate(() => raw.ask("_kv.billing.key.a", "good"));
      const ear = await listen(durable.server, "_kv.billing.>", asBackend);
      const before = await streams(durable.administrator);

      await connectRaw(page, durable.server);
      // A stream answers a direct request with what the page has stored there: the request of an administrator, for example.
      const requests: [reply: string, stored: string][] = [
        ["_kv.billing.key.a", "forged"],
        ["_kv.billing.key.b", "forged"],
        ["$JS.API.STREAM.CREATE.NAS_new", JSON.stringify({ name: "NAS_new", subjects: ["new"], retention: "limits", storage: "file" })],
        ["$JS.API.STREAM.PURGE.NAS_billing", "{}"],
        ["$JS.API.STREAM.DELETE.NAS_billing", ""],
        ["pages.info.NAS_billing", ""],
        ["pages.get.NAS_billing", ""],
        ["pages.create.NAS_billing.c", ""],
        ["pages.delete.NAS_billing.c", ""],
      ];
      await page.evaluate(async (requests) => {
        const config = { name: "c", ack_policy: "none", deliver_policy: "all", mem_storage: true };
        await raw.ask("$JS.API.CONSUMER.CREATE.NAS_shop.c", { stream_name: "NAS_shop", config });
        for (const [reply, stored] of requests) {
          await raw.ask("_kv.shop.key.a", stored);
          await raw.askFor(reply, "_kv.shop.key.b", stored);
          await raw.askFor(reply, "$JS.API.DIRECT.GET.NAS_shop", { last_by_subj: "_kv.shop.key.a" });
          await raw.askFor(reply, "$JS.API.DIRECT.GET.NAS_shop._kv.shop.key.a", "");
          await raw.askFor(reply, "$JS.API.STREAM.MSG.GET.NAS_shop", { last_by_subj: "_kv.shop.key.a" });
          await raw.askFor(reply, "$JS.API.STREAM.INFO.NAS_shop", "");
          await raw.askFor(reply, "$JS.API.CONSUMER.MSG.NEXT.NAS_shop.c", { batch: 10, no_wait: true });
        }
        // Takes as long as the answers to the earlier requests.
        await raw.ask("$JS.API.STREAM.INFO.NAS_shop", "");
      }, requests);

      const after = (await streams(durable.administrator)) as { config: { name: string } }[];
      expect(after.filter(({ config }) => config.name !== "NAS_shop")).toEqual(
        (before as typeof after).filter(({ config }) => config.name !== "NAS_shop"),
      );
      expect(await ear.settled()).toEqual([]);
      expect(await owner.evaluate(() => raw.ask("$JS.API.DIRECT.GET.NAS_billing", { last_by_subj: "_kv.billing.key.a" }))).toMatchObject([
        { text: "good" },
      ]);
    });
  });

  test.describe(`a store in durable mode, with these permissions, ${title}`, () => {
    test.use({ binary: program });

    test("writes and deletes to the stream, and a service receives them", async ({ page, durable, listen }) => {
      const ear = await listen(durable.server, "_kv.>", asBackend);
      await openStore(page, durable.server);
      expect(await page.evaluate(() => store.store("cart", { items: 2 }))).toBe(true);
      expect(await page.evaluate(() => store.getMetadata("cart"))).toMatchObject({ revision: 1 });
      expect((await durable.administrator.streams.getMessage("NAS_shop", { last_by_subj: "_kv.shop.key.cart" })).seq).toBe(1);
      expect(await page.evaluate(() => store.delete("cart"))).toBe(true);
      expect((await durable.administrator.streams.getMessage("NAS_shop", { last_by_subj: "_kv.shop.key.cart" })).seq).toBe(2);
      expect((await ear.settled()).map(({ subject }) => subject)).toEqual(["_kv.shop.key.cart", "_kv.shop.key.cart"]);
    });

    test("pulls the messages of its stream", async ({ page, durable }) => {
      await openStore(page, durable.server);
      await page.evaluate(() => store.bulkStore({ cart: { items: 2 }, user: "Ada" }));
      await page.evaluate(() => store.delete("user"));
      await page.evaluate(() => store.clearCache());
      expect(await page.evaluate(() => store.pull())).toMatchObject({ applied: 1, rejected: 0, revision: 3 });
      expect(await page.evaluate(() => store.retrieve("cart"))).toEqual({ items: 2 });
      // From the sequence that the first pull has reached.
      await page.evaluate(() => store.store("user", "Bob"));
      expect(await page.evaluate(() => store.pull())).toMatchObject({ applied: 0, rejected: 0, revision: 4 });
    });

    test("pull rejects STREAM_UNAVAILABLE for the stream of another user", async ({ page, durable }) => {
      await openStore(page, durable.server, { user: "billing", pass: BILLING, timeoutMs: 5_000 });
      expect(await page.evaluate(() => login.outcome(() => store.pull()))).toBe("STREAM_UNAVAILABLE");
    });

    test("rejects a write of another user's namespace", async ({ page, durable }) => {
      await openStore(page, durable.server, { user: "billing", pass: BILLING });
      expect(await page.evaluate(() => login.outcome(() => store.store("cart", 1)))).toBe("PUBLISH_REJECTED");
    });

    test("keeps a write while there is no stream, and stores it when there is one", async ({ page, durable }) => {
      await durable.administrator.streams.delete("NAS_shop");
      // Through an import, nats-server 2.9 does not tell that nobody answers.
      await openStore(page, durable.server, { timeoutMs: 5_000 });
      expect(await page.evaluate(() => store.store("cart", 1))).toBe(false);
      await addStream(durable.administrator, "shop");
      await expect.poll(() => page.evaluate(() => store.flush())).toMatchObject({ pending: 0, rejected: 0 });
      expect(await page.evaluate(() => store.getMetadata("cart"))).toMatchObject({ revision: 1 });
    });

    test("ensureStream finds the stream that an administrator has created", async ({ page, durable }) => {
      await openStore(page, durable.server);
      expect(await page.evaluate(() => store.ensureStream())).toEqual({ stream: "NAS_shop", created: false });
    });

    test("ensureStream rejects STREAM_UNAVAILABLE with the command for an administrator where there is no stream", async ({
      page,
      durable,
    }) => {
      await durable.administrator.streams.delete("NAS_shop");
      await openStore(page, durable.server);
      const error = await page.evaluate(() => store.ensureStream().catch(({ code, message }) => ({ code, message })));
      expect(error).toEqual({
        code: "STREAM_UNAVAILABLE",
        message: expect.stringMatching(/Permissions Violation.*nats stream add 'NAS_shop' --subjects='_kv.shop.key.>'/),
      });
      expect(await streams(durable.administrator)).toHaveLength(1);
    });
  });
}
