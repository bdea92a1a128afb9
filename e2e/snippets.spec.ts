import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build, runnerImport } from "vite";
import { builtLibraryIn } from "./support/build-page.ts";
import { expect, test as base } from "./support/fixtures.ts";
import { startNatsServer, type NatsServer } from "./support/nats-server.ts";
import { startPageServer, type PageServer } from "./support/page-server.ts";
import { moduleOf, readSnippets, runnableSnippets } from "./support/snippets.ts";
import type { runSnippet } from "./snippets/host.ts";

/** Every snippet of the documents. Each runs with the built library and a real server, between the lines that e2e/snippets/setups.ts adds. */

const test = base.extend<object, { nats: NatsServer }>({
  nats: [
    async ({}, use) => {
      // Durable mode needs JetStream.
      const server = await startNatsServer({ jetstream: true });
      await use(server);
      await server.dispose();
    },
    { scope: "worker" },
  ],
});

const root = fileURLToPath(new URL("..", import.meta.url));
const snippets = runnableSnippets();
const inPage = snippets.filter(({ setup }) => setup.runs === "page");

declare global {
  /** In the page of the snippets. */
  var run: (file: string, addresses: Parameters<typeof runSnippet>[1]) => Promise<void>;
}

let site: PageServer;
let folder: string;

test.beforeAll(async ({}, { workerIndex }) => {
  folder = `${root}reports/snippets-${workerIndex}`;
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  for (const snippet of snippets) await writeFile(`${folder}/${snippet.file}.ts`, moduleOf(snippet));
  await writeFile(
    `${folder}/index.html`,
    `<!doctype html><link rel="icon" href="data:," /><body></body><script type="module" src="./main.ts"></script>`,
  );
  await writeFile(
    `${folder}/main.ts`,
    `import { runSnippet } from "../../e2e/snippets/host.ts";
const runs = { ${inPage.map(({ file }) => `"${file}": () => import("./${file}.ts")`).join(", ")} };
globalThis.run = async (file, addresses) => runSnippet((await runs[file]()).default, addresses);
`,
  );
  const { common, output } = builtLibraryIn(folder);
  await build({ ...common, build: { ...output, target: "es2022" } });
  site = await startPageServer(folder);
});

test.afterAll(async () => {
  await site.stop();
  await rm(folder, { recursive: true, force: true });
});

for (const { name, file } of inPage) {
  test(`${name} runs in a page`, async ({ page, nats, consoleGuard }) => {
    // Chromium reports nats-server's answer when a client of @nats-io/nats-core, which some snippets use, closes its connection.
    consoleGuard.allowFailedSockets();
    await page.goto(site.url);
    await page.waitForFunction(() => "run" in globalThis);
    await page.evaluate(([file, addresses]) => globalThis.run(file, addresses), [
      file,
      { server: nats.wsUrl, tcpServer: nats.tcpUrl },
    ] as const);
  });
}

for (const { name, file } of snippets.filter(({ setup }) => setup.runs === "node")) {
  test(`${name} runs in Node`, async ({ page, nats }) => {
    const addresses = { server: nats.wsUrl, tcpServer: nats.tcpUrl };
    const alias = [{ find: /^nas-keystore$/, replacement: `${root}dist/index.js` }];
    const load = async <T>(path: string) =>
      (await runnerImport<T>(path, { configFile: false, logLevel: "error", resolve: { alias } })).module;
    const host = await load<{ runSnippet: typeof runSnippet }>(`${root}e2e/snippets/host.ts`);
    const { default: run } = await load<{ default: Parameters<typeof runSnippet>[0] }>(`${folder}/${file}.ts`);
    const publish = () =>
      page.evaluate(async (servers) => {
        const store = new keystore.NASKeyStore({ servers, namespace: "my_app" });
        await store.store("user:123", { name: "Alice" });
        await store.delete("user:123");
        await store.close();
      }, nats.wsUrl);
    await host.runSnippet(run, addresses, publish);
  });
}

for (const { name, code } of snippets.filter(({ setup }) => setup.runs === "test")) {
  test(`${name} passes in Vitest`, async () => {
    await writeFile(`${folder}/recipe.test.ts`, code);
    await writeFile(
      `${folder}/vitest.config.ts`,
      `export default { root: ${JSON.stringify(folder)}, test: { include: ["recipe.test.ts"] },
  resolve: { alias: [{ find: /^nas-keystore\\/eager$/, replacement: ${JSON.stringify(`${root}dist/eager.js`)} }] } };`,
    );
    const args = [`${root}node_modules/vitest/vitest.mjs`, "run", "--root", folder, "--config", `${folder}/vitest.config.ts`];
    const run = spawn(process.execPath, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    for (const stream of [run.stdout, run.stderr]) stream.on("data", (text: Buffer) => (output += text.toString()));
    const [code_] = (await once(run, "exit")) as [number];
    expect(code_, output).toBe(0);
  });
}

test("every JSON snippet is valid JSON, and every npm script in a shell snippet exists", async () => {
  const { scripts } = (await import("../package.json", { with: { type: "json" } })).default;
  for (const { name, language, code } of readSnippets()) {
    if (language === "json") expect(() => JSON.parse(code) as unknown, name).not.toThrow();
    if (language !== "sh") continue;
    for (const [, script = ""] of code.matchAll(/^npm (?:run )?(start|test|[a-z]+(?::[a-z]+)+|(?<=run )[a-z:]+)\b/gm))
      expect(scripts, name).toHaveProperty([script]);
  }
});
