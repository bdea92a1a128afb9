import { mkdtemp, readFile, readlink, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium, type BrowserContext, type LaunchOptions } from "@playwright/test";
import { withDeadline } from "./deadline.ts";
import { mendTornLogs } from "./leveldb-log.ts";

/** A Chromium with a profile of its own, which outlives it. */
export interface KillableBrowser {
  /** Of the browser that runs, or ran last. */
  readonly context: BrowserContext;
  /** How many logs kills have torn, which had to be mended for Chromium. */
  readonly tornLogs: number;
  /** SIGKILL to the browser's main process; the others go with it. Done when it is gone. */
  kill(): Promise<void>;
  /** Starts it again on the same profile. */
  restart(): Promise<void>;
  /** Ends it and removes its profile. */
  dispose(): Promise<void>;
}

export async function startKillableBrowser(
  launchOptions: LaunchOptions,
  prepare: (context: BrowserContext) => Promise<void> = async () => {},
): Promise<KillableBrowser> {
  const profile = await mkdtemp(join(tmpdir(), "nas-keystore-profile-"));
  const launch = async (): Promise<BrowserContext> => {
    const context = await chromium.launchPersistentContext(profile, launchOptions);
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
      const gone = new Promise<void>((resolve) => context.once("close", () => resolve()));
      process.kill(await mainPid(profile), "SIGKILL");
      await withDeadline(gone, () => "Chromium did not end by SIGKILL");
      running = false;
      tornLogs += await mendTornLogs(profile);
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

/** The browser's process, and no other: the profile's lock is a link to `<host>-<pid>`. */
async function mainPid(profile: string): Promise<number> {
  const pid = Number((await readlink(join(profile, "SingletonLock"))).split("-").at(-1));
  const commandLine = await readFile(`/proc/${pid}/cmdline`, "utf8");
  if (!commandLine.includes(profile)) throw new Error(`Process ${pid} does not run on ${profile}`);
  return pid;
}
