/** What a snippet of the documents needs around it, and where it runs. */
export interface Setup {
  /** "page": a page in the browser. "node". "test": as a test file of Vitest. */
  readonly runs: "page" | "node" | "test";
  /** Code before the snippet: what the document assumes. */
  readonly before?: string;
  /** Code after the snippet, where it checks what the document promises. */
  readonly after?: string;
}

const STORE = `const store = new NASKeyStore({ servers: server, namespace });`;
const SETTINGS = `const servers = server;`;
/** The receivers run until the connection ends. They see messages that are published again and again, from the time when they have subscribed. */
const RECEIVED = `
  const seen: unknown[][] = [];
  const console = {
    log: (...line: unknown[]) => {
      seen.push(line);
      if (line[1] === "deleted") void connection.drain();
    },
  };
  const publishing = settled(async () => {
    await publish();
    return seen.length > 1;
  });`;
const CHECK_RECEIVED = `
  await publishing;
  const [key, version, value] = seen.find(([, second]) => second !== "deleted") ?? [];
  check([key, typeof version, value], ["user:123", "number", { name: "Alice" }]);`;

/** By the name of the snippet: see e2e/support/snippets.ts. */
export const SETUPS: Readonly<Record<string, Setup>> = {
  "README.md › nas-keystore": {
    runs: "page",
    after: `
      check(await store.retrieve("user:123"), { name: "Alice", age: 30 });
      check((await store.getMetadata("user:123"))?.pending, false);
      await store.close();
      await destroyNamespace("my_app");`,
  },
  "README.md › nas-keystore (2)": {
    runs: "page",
    after: `
      check(await shared.retrieve("plan"), { step: 1 });
      await shared.close();
      await destroyNamespace("team");`,
  },
  "README.md › Quick start": {
    runs: "page",
    before: `${STORE} await store.store("user:123", { name: "Alice", age: 30 });`,
    after: `
      check(published, true);
      check(await store.listKeys(), ["avatar", "greeting", "visits"]);`,
  },
  "README.md › Results and errors": {
    runs: "page",
    before: `${STORE} const value = 1; const ttl = -1; let shown: unknown; const log = console.log; console.log = (option) => (shown = option);`,
    after: `console.log = log; check(shown, "ttl");`,
  },
  "README.md › Session storage": {
    runs: "page",
    before: `const id = "1"; const user = { name: "Alice" };`,
    after: `check(await sessions.exists("session:1"), false); await sessions.close(); await destroyNamespace("sessions");`,
  },
  "README.md › Configuration": {
    runs: "page",
    after: `
      await config.store("app:theme", "light");
      await settled(() => document.documentElement.dataset["theme"] === "light");
      stop();
      await config.close();
      await destroyNamespace("config");`,
  },
  "README.md › A cached API call": {
    runs: "page",
    before: `
      let requests = 0;
      const fetch = async (_path: string, _init: { signal: AbortSignal }) => new Response(JSON.stringify({ price: ++requests }));`,
    after: `
      check(await Promise.all([fetchCached("/prices.json"), fetchCached("/prices.json")]), [{ price: 1 }, { price: 1 }]);
      await settled(async () => ((await fetchCached("/prices.json")) as { price: number }).price === 2);
      check(requests, 2);
      await cache.close();
      await destroyNamespace("api_cache");`,
  },
  "README.md › Offline form drafts": {
    runs: "page",
    before: `
      document.body.innerHTML = '<form><input name="subject"></form>';
      const earlier = new NASKeyStore({ namespace: "drafts" });
      await earlier.store("draft:contact", { subject: "Hello" });
      await earlier.close();`,
    after: `
      check((form.elements.namedItem("subject") as HTMLInputElement).value, "Hello");
      check(await drafts.retrieve("draft:count"), 1);
      await drafts.close();
      await destroyNamespace("drafts");`,
  },
  "README.md › Feature flags": {
    runs: "page",
    after: `
      check([isOn("new-menu"), isOn("beta"), isOn("absent")], [true, false, false]);
      await flags.close();
      await destroyNamespace("flags");`,
  },
  "README.md › Encrypted tokens": {
    runs: "page",
    before: `const passphrase = "correct horse battery staple"; const token = "secret";`,
    after: `
      check(await tokens.retrieve("token:api"), "secret");
      check((await tokens.getMetadata("token:api"))?.encrypted, true);
      await tokens.close();
      await destroyNamespace("tokens");`,
  },
  "README.md › Durable mode": {
    runs: "page",
    before: SETTINGS,
    after: `
      check(note, { text: "from here" });
      check((await store.getMetadata("note:1"))?.pending, false);
      await store.close();
      await destroyNamespace("notes");`,
  },
  "README.md › Durable mode (3)": {
    runs: "page",
    before: `const store = new NASKeyStore({ namespace: "counts", durable: true, timeoutMs: 60_000 }); await store.ensureStream();`,
    after: `
      check(await store.retrieve("count"), 1);
      await store.close();
      await destroyNamespace("counts");`,
  },
  "README.md › Compare-and-set": {
    runs: "page",
    before: `${STORE} const cart = ["tea"];`,
    after: `check(await store.retrieve("cart"), ["tea"]);`,
  },
  "README.md › Receive the writes": { runs: "node", before: RECEIVED, after: CHECK_RECEIVED },
  "README.md › Receive the writes (2)": { runs: "page", before: RECEIVED, after: CHECK_RECEIVED },
  "README.md › Test your app": { runs: "test" },
  "README.md › Workers": { runs: "page", after: `check(typeof NASKeyStore, "function");` },
  "docs/PRODUCTION.md › Credentials": {
    runs: "page",
    before: `${SETTINGS} const session = { user: "ada", password: "secret", token: "token" };`,
  },
  "docs/PRODUCTION.md › JWTs": { runs: "page", before: SETTINGS },
  "docs/PRODUCTION.md › JWTs (2)": {
    runs: "page",
    before: `${SETTINGS} const fetch = async (_path: string, _init: object) => new Response(JSON.stringify({ jwt: "jwt", expiresInMs: 1_000 }));`,
    after: `check(await freshJwt(), "jwt");`,
  },
  "docs/PRODUCTION.md › JWTs (3)": {
    runs: "node",
    before: `
      import { nkeys } from "@nats-io/nats-core";
      const user = nkeys.createUser();
      const [id, publicKey] = ["42", user.getPublicKey()];
      const accountSeed = nkeys.createAccount();`,
    after: `check(jwt.split(".").length, 3);`,
  },
  "docs/PRODUCTION.md › What a page may request": {
    runs: "page",
    before: `${SETTINGS} const credentials = { user: "ada", pass: "secret" };`,
  },
  "docs/PRODUCTION.md › Service workers": {
    runs: "page",
    before: `${SETTINGS} interface ExtendableEvent extends Event { waitUntil(promise: Promise<unknown>): void }`,
    after: `await publishOutbox();`,
  },
  "docs/PRODUCTION.md › Logging out": {
    runs: "page",
    before: `${STORE} const userAgreesToLoseThem = async (_count: number) => true;`,
    after: `check((await indexedDB.databases()).some(({ name }) => name === "nas-keystore/" + namespace), false);`,
  },
  "docs/PRODUCTION.md › Monitoring": {
    runs: "page",
    before: `
      ${STORE}
      const reports: unknown[] = [];
      const report = (...args: unknown[]) => void reports.push(args);
      const setInterval = (work: () => Promise<void>, _ms: number) => void (tick = work);
      let tick = async () => {};`,
    after: `
      await tick();
      check(reports.length, 1);`,
  },
  "docs/PRODUCTION.md › Encryption at rest": {
    runs: "page",
    before: `
      const userId = "42";
      const loadSaltOfUser = async () => new Uint8Array(16);
      const askForPassphrase = async () => "correct horse battery staple";`,
    after: `await store.store("k", 1); check((await store.getMetadata("k"))?.encrypted, true); await store.close(); await destroyNamespace("app.user-42");`,
  },
  "docs/PRODUCTION.md › Encryption at rest (2)": {
    runs: "page",
    before: `
      const [oldKey, newKey] = [await deriveKey("old", "salt", { iterations: 1 }), await deriveKey("new", "salt", { iterations: 1 })];
      const before = new NASKeyStore({ encryption: { key: oldKey } });
      await before.store("k", 1);
      await before.close();`,
    after: `
      await store.close();
      const rotated = new NASKeyStore({ encryption: { key: newKey } });
      check(await rotated.retrieve("k"), 1);
      await rotated.close();
      await destroyNamespace("default");`,
  },
  "docs/PRODUCTION.md › Encrypted messages (2)": {
    runs: "page",
    before: `
      import { wsconnect } from "@nats-io/nats-core";
      const cryptoKey = await deriveKey("passphrase", "salt", { iterations: 1 });
      const connection = await wsconnect({ servers: server });
      const received = connection.subscribe("_kv." + namespace + ".key.*", { max: 1 });
      await connection.flush();
      const store = new NASKeyStore({ servers: server, namespace, encryption: { key: cryptoKey, messages: true } });
      await store.store("k", "secret", { format: "text" });
      let message = "";
      for await (const { data } of received) message = new TextDecoder().decode(data);`,
    after: `check(key, "k"); check(new TextDecoder().decode(payload), "secret");`,
  },
  "docs/EVENTS.md › Changes": {
    runs: "page",
    before: `${STORE} const shown = new Map<string, unknown>(); const render = (found: Map<string, unknown>) => found.forEach((value, key) => shown.set(key, value));`,
    after: `
      await store.store("user:1", "Ada");
      await settled(() => shown.get("user:1") === "Ada");
      await store.clearCache();
      end();`,
  },
  "docs/EVENTS.md › Changes (2)": {
    runs: "page",
    before: `
      ${STORE}
      const ending = new AbortController();
      const { signal } = ending;
      const console = { log: (...line: unknown[]) => { check(line, ["store", "cart:1"]); ending.abort(); } };
      void settled(async () => { await store.store("cart:1", 1); return signal.aborted; });`,
    after: `check(signal.aborted, true);`,
  },
  "docs/EXPORT.md › Files": {
    runs: "page",
    before: STORE,
    after: `
      await store.store("k", 1);
      const file = await exportToBlob(store);
      await store.clearCache();
      check(await importFromFile(store, file), { imported: 1, skipped: 0 });
      check(await store.retrieve("k"), 1);`,
  },
  "docs/SCHEMAS.md › Typed keys": {
    runs: "page",
    after: `check(user, { name: "Ada" }); check(settings, undefined); await store.close(); await destroyNamespace("typed");`,
  },
  "docs/SCHEMAS.md › Schemas": {
    runs: "page",
    before: `let refused: unknown; const console = { info: (key: unknown, _issues: unknown) => (refused = key) };`,
    after: `
      check(await store.retrieve("user:1"), { name: "Ada", role: "guest" });
      check(refused, "count:visits");
      await store.close();
      await destroyNamespace("checked");`,
  },
  "docs/SCHEMAS.md › Migrations": {
    runs: "page",
    before: `const console = { info: () => undefined } as { info(...line: unknown[]): void };`,
    after: `
      check(await store.retrieve("user:1"), { first: "Ada", last: "Lovelace" });
      await store.close();`,
  },
};
