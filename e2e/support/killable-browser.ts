import { existsSync } from "node:fs";
import { mkdtemp, readFile, readlink, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { chromium, firefox, type BrowserContext, type BrowserType, type LaunchOptions } from "@playwright/test";
import { withDeadline } from "./deadline.ts";
import { mendTornLogs } from "./leveldb-log.ts";

/** A browser whose profile is kept across restarts. */
export interface KillableBrowser {
  /** The context of the running browser, or of the last one. */
  readonly context: BrowserContext;
  /** The number of Chromium's logs in which a kill left a partial record, which was truncated. */
  readonly tornLogs: number;
  /** Sends SIGKILL to the browser's main process, which ends the others. Resolves when it has ended. */
  kill(): Promise<void>;
  /** Starts the browser again with the same profile. */
  restart(): Promise<void>;
  /** Ends the browser and removes its profile. */
  dispose(): Promise<void>;
}

/** The differences between engines for a kill and a restart with the same profile. */
interface EngineProfile {
  readonly type: BrowserType;
  /** A link in the profile. Its target ends in the separator and the id of the browser's main process. */
  readonly lock: string;
  readonly separator: string;
  /** Prepares a profile for the next start. Resolves to the number of logs with a partial record. */
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
      // Playwright closes its connection to the ended browser.
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
      // The last child processes may still write.
      await rm(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
    },
  };
}

/** The id of the browser's main process, from the link in its profile. Must not be the id of another process. */
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
