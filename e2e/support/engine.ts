import type { PlaywrightTestOptions, PlaywrightWorkerOptions, Project } from "@playwright/test";
import { requireBrowser } from "../../scripts/lib/browsers.mjs";

/** The engines that Playwright drives. WebKitGTK has a separate driver. */
export type PlaywrightEngine = "chromium" | "firefox";

/** The engine of this run: `ENGINE=firefox npm run e2e` runs the suite in Firefox. */
const engine = readEngine(process.env["ENGINE"] || "chromium");

/** The file of the run's JSON report: `reports/e2e.json`, `reports/e2e-firefox.json`. */
export function reportFile(suite: string): string {
  return engine === "chromium" ? `reports/${suite}.json` : `reports/${suite}-${engine}.json`;
}

/** Files that only the other engine can run, and that are named after it. docs/RELIABILITY.md gives the reasons. */
export const ignoredFiles: string[] = [`**/*.${engine === "chromium" ? "firefox" : "chromium"}.spec.ts`];

/** The project of an engine: by default, that of this run. */
export async function engineProject(wanted: PlaywrightEngine = engine): Promise<Project<PlaywrightTestOptions, PlaywrightWorkerOptions>> {
  const executablePath = await requireBrowser(wanted);
  return wanted === "chromium" ? chromiumProject(executablePath) : firefoxProject(executablePath);
}

/**
 * The projects of these engines. A browser that `--project` leaves out need not be installed: its project is left out too.
 * Playwright loads the configuration again in each worker process, without the arguments, but with the variable.
 */
export async function wantedProjects<Engine extends string, Result>(
  engines: readonly Engine[],
  projectOf: (engine: Engine) => Promise<Result>,
): Promise<Result[]> {
  const named = engines.filter((engine) => namedProjects(process.argv).includes(engine));
  if (named.length > 0) process.env["NAS_KEYSTORE_PROJECTS"] = named.join();
  const wanted = process.env["NAS_KEYSTORE_PROJECTS"]?.split(",") ?? engines;
  return Promise.all(engines.filter((engine) => wanted.includes(engine)).map(projectOf));
}

/** The values of `--project=<name>` and `--project <name>…`. */
function namedProjects(args: readonly string[]): string[] {
  return args.flatMap((arg, index) => {
    if (arg.startsWith("--project=")) return [arg.slice("--project=".length)];
    if (arg !== "--project") return [];
    const rest = args.slice(index + 1);
    const end = rest.findIndex((value) => value.startsWith("-"));
    return end === -1 ? rest : rest.slice(0, end);
  });
}

function chromiumProject(executablePath: string): Project<PlaywrightTestOptions, PlaywrightWorkerOptions> {
  return {
    name: "chromium",
    use: {
      browserName: "chromium",
      launchOptions: {
        executablePath,
        args: [
          "--no-sandbox", // Chromium refuses to run as root with one
          "--disable-gpu",
          "--disable-quic",
          "--no-first-run",
          "--disable-background-networking",
          "--disable-component-update",
          "--disable-sync",
        ],
      },
    },
  };
}

function firefoxProject(executablePath: string): Project<PlaywrightTestOptions, PlaywrightWorkerOptions> {
  return {
    name: "firefox",
    // The channel lets Playwright drive Mozilla's own Firefox, over WebDriver BiDi.
    use: { browserName: "firefox", launchOptions: { executablePath, channel: "moz-firefox" } },
  };
}

function readEngine(name: string): PlaywrightEngine {
  if (name === "chromium" || name === "firefox") return name;
  throw new Error(`Unknown engine "${name}". Set ENGINE to "chromium" or "firefox".`);
}
