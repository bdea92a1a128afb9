import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { requireBrowser } from "../../scripts/lib/browsers.mjs";
import { withDeadline } from "./deadline.ts";
import { freePorts } from "./ports.ts";

/** The limit for a page to load, and for a script to call back. */
const LIMIT_MS = 60_000;

/** A page in WebKitGTK, which Playwright cannot drive. Its storage ends with it. */
export interface WebKitPage {
  /** The version of WebKitGTK. */
  readonly version: string;
  /** Resolves once the page has loaded. */
  open(url: string): Promise<void>;
  /**
   * Runs a script as the body of a function in the page. `arguments` holds the arguments given, then the callback to call
   * with the result.
   */
  execute<Result>(script: string, ...args: unknown[]): Promise<Result>;
  close(): Promise<void>;
}

/** Starts WebKitGTK's MiniBrowser on a virtual display. */
export async function openWebKit(): Promise<WebKitPage> {
  const processes: ChildProcess[] = [];
  const end = async (): Promise<void> => {
    await Promise.all(processes.toReversed().map(endGroup));
  };
  try {
    const xvfb = start("Xvfb", ["-displayfd", "3", "-screen", "0", "1280x1024x24"], {});
    processes.push(xvfb);
    const display = await displayOf(xvfb);
    const [port = 0] = await freePorts(1);
    const driver = start(await requireBrowser("webkit"), [`--port=${port}`], {
      DISPLAY: `:${display}`,
      GDK_BACKEND: "x11",
      WEBKIT_DISABLE_COMPOSITING_MODE: "1",
    });
    processes.push(driver);
    const address = `http://127.0.0.1:${port}`;
    await withDeadline(untilReady(address, driver), () => "WebKitWebDriver does not answer", LIMIT_MS);
    const { sessionId, capabilities } = await command<Session>(address, "POST", "/session", {
      capabilities: { alwaysMatch: { timeouts: { script: LIMIT_MS, pageLoad: LIMIT_MS } } },
    });
    const session = `${address}/session/${sessionId}`;
    return {
      version: capabilities.browserVersion,
      open: (url) => command(session, "POST", "/url", { url }),
      execute: (script, ...args) => command(session, "POST", "/execute/async", { script, args }),
      close: async () => {
        await command(session, "DELETE", "").catch(() => undefined); // the processes end even if the command fails
        await end();
      },
    };
  } catch (error) {
    await end();
    throw error;
  }
}

interface Session {
  readonly sessionId: string;
  readonly capabilities: { readonly browserVersion: string };
}

/** Process groups that must end with this process, even if it does not close them. */
const running = new Set<ChildProcess>();
process.on("exit", () => running.forEach((child) => kill(child, "SIGKILL")));

/** Starts a program as the leader of a process group, because browsers start further processes. Xvfb writes to the fourth stream. */
function start(program: string, args: string[], env: Record<string, string>): ChildProcess {
  const child = spawn(program, args, {
    detached: true,
    stdio: ["ignore", "ignore", "ignore", "pipe"],
    env: { ...process.env, ...env },
  });
  child.on("error", () => undefined); // the callers report a program that does not start, because it does not answer
  running.add(child);
  child.on("exit", () => running.delete(child));
  return child;
}

async function endGroup(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  kill(child, "SIGTERM");
  await withDeadline(ended, () => `${child.spawnfile} did not end`).catch(() => kill(child, "SIGKILL"));
}

function kill({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, signal);
  } catch {
    // The group has ended.
  }
}

/** Xvfb finds a free display and writes its number. */
async function displayOf(xvfb: ChildProcess): Promise<string> {
  const pipe = xvfb.stdio[3] as Readable;
  let text = "";
  pipe.setEncoding("utf8");
  const number = (async () => {
    for await (const chunk of pipe) {
      text += String(chunk);
      if (text.endsWith("\n")) return text.trim();
    }
    throw new Error("Xvfb ended before it had a display.");
  })();
  return withDeadline(number, () => "Xvfb names no display", LIMIT_MS);
}

async function untilReady(address: string, driver: ChildProcess): Promise<void> {
  while (driver.exitCode === null) {
    const response = await fetch(`${address}/status`).catch(() => undefined);
    if (response?.ok) return;
    await sleep(20);
  }
  throw new Error("WebKitWebDriver ended at its start.");
}

/** Sends a command of the WebDriver protocol. */
async function command<Value>(base: string, method: "POST" | "DELETE", path: string, body?: object): Promise<Value> {
  const response = await fetch(base + path, {
    method,
    ...(body === undefined ? undefined : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
  });
  const { value } = (await response.json()) as { value: Value & { error?: string; message?: string } };
  if (!response.ok) throw new Error(`WebDriver: ${value.error}: ${value.message}`);
  return value;
}
