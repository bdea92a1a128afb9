import { existsSync } from "node:fs";
import { mkdtemp, readFile, readlink, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { chromium, firefox, type BrowserContext, type BrowserType, type LaunchOptions } from "@playwright/test";
import { withDeadline } from "./deadline.ts";
import { mendTornLogs } from "./leveldb-log.ts";

/** A browser with a profile of its own, which outlives it. */
export interface KillableBrowser {
  /** Of the browser that runs, or ran last. */
  readonly context: BrowserContext;
  /** The number of Chromium's logs that kills have torn, and that were mended. */
  readonly tornLogs: number;
  /** SIGKILL to the browser's main process; the others go with it. Done when it is gone. */
  kill(): Promise<void>;
  /** Starts it again on the same profile. */
  restart(): Promise<void>;
  /** Ends it and removes its profile. */
  dispose(): Promise<void>;
}

/** How to kill an engine's browser and to start it again on the same profile. */
interface EngineProfile {
  readonly type: BrowserType;
  /** A link in the profile. Its target ends in the separator and the id of the browser's main process. */
  readonly lock: string;
  readonly separator: string;
  /** Prepares a profile for the next start. Resolves to the number of torn logs. */
  mend(profile: string): Promise<number>;
}

const engines: Record<string, EngineProfile> = {
  chromium: { type: chromium, lock: "SingletonLock", separator: "-", mend: mendTornLogs },
  firefox: {
    type: firefox,
    lock: "lock",
    separator: "+",
    mend: async (profile) => {
      for (const name of ["lock", ".parentlock"]) await rm(join(profile, name), { force: true });
      return 0;
    },
  },
};

export async function startKillableBrowser(
  browserName: string,
  launchOptions: LaunchOptions,
  prepare: (context: BrowserContext) => Promise<void> = async () => {},
): Promise<KillableBrowser> {
  const engine = engines[browserName];
  if (engine === undefined) throw new Error(`Cannot kill ${browserName}. See e2e/support/killable-browser.ts.`);
  const profile = await mkdtemp(join(tmpdir(), "nas-keystore-profile-"));
  const launch = async (): Promise<BrowserContext> => {
    const context = await engine.type.launchPersistentContext(profile, launchOptions);
    await prepare(context);
    return context;
  };
  let context = await launch();
  let running = true;
  let tornLogs = 0;
  return {
    get context() {
      return context;
    },
    get tornLogs() {
      return tornLogs;
    },
    kill: async () => {
      const pid = await mainPid(profile, engine);
      process.kill(pid, "SIGKILL");
      await withDeadline(gone(pid), () => `${browserName} did not end by SIGKILL`);
      // Playwright ends its own side of the dead browser.
      await withDeadline(
        context.close().catch(() => {}),
        () => `The context of the killed ${browserName} did not close`,
      );
      running = false;
      tornLogs += await engine.mend(profile);
    },
    restart: async () => {
      context = await launch();
      running = true;
    },
    dispose: async () => {
      if (running) await context.close();
      // Its last children may still write.
      await rm(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
    },
  };
}

/** The id of the browser's main process, from the link in its profile. Must never be that of another process. */
async function mainPid(profile: string, { lock, separator }: EngineProfile): Promise<number> {
  const pid = Number((await readlink(join(profile, lock))).split(separator).at(-1));
  const commandLine = await readFile(`/proc/${pid}/cmdline`, "utf8");
  if (!commandLine.includes(profile)) throw new Error(`Process ${pid} does not run on ${profile}`);
  return pid;
}

/** Resolves when a process has ended or is a zombie. */
async function gone(pid: number): Promise<void> {
  const status = `/proc/${pid}/status`;
  while (existsSync(status) && !/^State:\s+Z/m.test(await readFile(status, "utf8").catch(() => "State: Z"))) await sleep(10);
}
