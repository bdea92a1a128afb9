import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Page } from "@playwright/test";
import { expect, test as base } from "./support/fixtures.ts";
import { buildSite, startSite, type Site } from "./support/production/site.ts";

/** The strictest policy under which the library works: no inline script, no eval, no string as markup. */
const POLICY = [
  "default-src 'self'",
  "script-src 'self'",
  "connect-src 'self' ws://127.0.0.1:*",
  "require-trusted-types-for 'script'",
  "style-src 'self'",
].join("; ");

const demo = fileURLToPath(new URL("../demo", import.meta.url));
const demoConfig = fileURLToPath(new URL("../vite.config.ts", import.meta.url));
const plainPage = fileURLToPath(new URL("support/production/page", import.meta.url));

const test = base.extend<{ allLines: string[]; violations: (page: Page) => Promise<string[]> }, { builtDemo: Site; builtPage: Site }>({
  builtDemo: [async ({}, use) => serve(demo, use, demoConfig), { scope: "worker" }],
  builtPage: [async ({}, use) => serve(plainPage, use), { scope: "worker" }],

  allLines: [
    async ({ context }, use) => {
      const lines: string[] = [];
      context.on("console", (message) => lines.push(`${message.type()}: ${message.text()}`));
      await use(lines);
    },
    { auto: true },
  ],

  violations: async ({ context }, use) => {
    await context.addInitScript(() => {
      const seen: string[] = [];
      document.addEventListener("securitypolicyviolation", ({ effectiveDirective, blockedURI, sample }) => {
        seen.push(`${effectiveDirective} ${blockedURI} ${sample}`);
      });
      Object.assign(globalThis, { seenViolations: seen });
    });
    await use((page) => page.evaluate(() => (globalThis as unknown as { seenViolations: string[] }).seenViolations));
  },
});

async function serve(root: string, use: (site: Site) => Promise<void>, configFile?: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "nas-keystore-csp-"));
  await buildSite(root, folder, configFile);
  const site = await startSite({ folder, headers: { "Content-Security-Policy": POLICY } });
  await use(site);
  await site.stop();
  await rm(folder, { recursive: true, force: true });
}

// `context`, not `page`: the fixture of that name is on a page without a policy.
test("the library works under a strict Content-Security-Policy", async ({
  context,
  builtPage,
  nats,
  namespace,
  wire,
  violations,
  allLines,
}) => {
  const page = await context.newPage();
  await page.goto(builtPage.origin);
  await page.locator("body[data-ready]").waitFor({ state: "attached" });
  const results = await page.evaluate(
    async ([servers, namespace]) => {
      // Code that Playwright calls directly may use eval despite the policy. The callback of a timer may not.
      await new Promise((resolve) => setTimeout(resolve));
      const store = new keystore.NASKeyStore({ servers, namespace, compression: true, timeoutMs: 60_000 });
      const text = "long enough to be compressed ".repeat(100);
      const stored = [
        await store.ping(),
        await store.store("json", { a: [1, null, "x"] }),
        await store.store("text", text, { format: "text", ttl: 60, tags: ["t"] }),
        await store.store("binary", Uint8Array.of(1, 2, 3), { format: "binary" }),
        await store.store(
          "structured",
          new Map<string, unknown>([
            ["date", new Date(0)],
            ["error", new TypeError("x")],
            ["big", 1n],
          ]),
          { format: "structured" },
        ),
      ];
      const structured = await store.retrieve<Map<string, unknown>>("structured", { useCache: false });
      const read = [
        await store.retrieve("json", { useCache: false }),
        (await store.retrieve("text", { useCache: false })) === text,
        [...((await store.retrieve<Uint8Array>("binary", { useCache: false })) ?? [])],
        structured?.get("error") instanceof TypeError && structured.get("big") === 1n,
        await store.listKeys("*[ty]"),
        await store.delete("json"),
      ];
      await store.close();
      await keystore.destroyNamespace(namespace);
      return { stored, read };
    },
    [nats.wsUrl, namespace] as const,
  );
  expect(results).toEqual({
    stored: [true, true, true, true, true],
    read: [{ a: [1, null, "x"] }, true, [1, 2, 3], true, ["binary", "text"], true],
  });
  await wire.waitFor(5);
  expect(await violations(page)).toEqual([]);
  expect(allLines).toEqual([]);
});

test("the demo works under a strict Content-Security-Policy", async ({
  context,
  builtDemo,
  nats,
  namespace,
  wire,
  violations,
  allLines,
}) => {
  const page = await context.newPage();
  await page.goto(`${builtDemo.origin}/?${new URLSearchParams({ server: nats.wsUrl, namespace })}`);
  await expect(page.getByText("Online", { exact: true })).toBeVisible();

  const write = async (key: string, format: string, value?: string): Promise<void> => {
    await page.getByLabel("Key", { exact: true }).fill(key);
    await page.getByLabel("Format", { exact: true }).selectOption(format);
    if (value !== undefined) await page.locator("#value").fill(value);
    await page.getByRole("button", { name: "Store", exact: true }).click();
    await expect(page.getByText(`Published “${key}”.`)).toBeVisible();
  };
  await write("a json", "json", '{ "name": "Ada <b>Lovelace</b>" }');
  await write("a text", "text", "<img src=x onerror=alert(1)>");
  await write("some hex", "hex", "00 ff 80");
  await write("some utf8", "utf8", "Grüezi");
  await write("a sample", "sample");

  const keys = page.getByRole("listbox", { name: /Keys/ });
  await expect(keys.getByRole("option")).toHaveCount(5);
  await page.getByLabel("Pattern", { exact: true }).fill("a *");
  await expect(keys.getByRole("option")).toHaveCount(3);
  await keys.getByRole("option", { name: "a text" }).click();
  await expect(page.getByRole("region", { name: "Value" })).toContainText("<img src=x onerror=alert(1)>");
  await page.getByRole("button", { name: "Verify" }).click();
  await expect(page.getByText("The checksum matches")).toBeVisible();
  await page.getByLabel("Key", { exact: true }).fill("a json");
  await page.getByRole("button", { name: "Retrieve", exact: true }).click();
  await expect(page.getByRole("region", { name: "Value" })).toContainText("Ada <b>Lovelace</b>");

  expect((await wire.waitFor(5)).map(({ envelope }) => envelope?.metadata?.format)).toEqual([
    "json",
    "text",
    "binary",
    "binary",
    "structured",
  ]);
  expect(await violations(page)).toEqual([]);
  expect(allLines).toEqual([]);
});

test("the browser enforces the strict Content-Security-Policy", async ({ browser, builtPage }) => {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(builtPage.origin);
  const refused = await page.evaluate(async () => {
    await new Promise((resolve) => setTimeout(resolve));
    const attempt = async (work: () => unknown): Promise<string> => {
      try {
        await work();
        return "allowed";
      } catch (error) {
        return (error as Error).name;
      }
    };
    const inline = document.createElement("script");
    inline.append("globalThis.ran = true");
    return [
      await attempt(() => (document.body.innerHTML = "<b>markup</b>")),
      // eslint-disable-next-line no-eval
      await attempt(() => eval("1")),
      await attempt(() => new Worker("blob:nothing")),
      await attempt(() => fetch("https://127.0.0.1:1/")),
      await attempt(() => document.body.append(inline)),
      "ran" in globalThis,
    ];
  });
  await context.close();
  expect(refused.slice(0, 4)).not.toContain("allowed");
  expect(refused.at(-1)).toBe(false);
});
