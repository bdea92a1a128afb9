import { expect, test } from "@playwright/test";
import { connect } from "nats";
import { spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { isFree } from "../scripts/lib/ports.mjs";
import { root } from "../scripts/lib/root.mjs";
import { withDeadline } from "./support/deadline.ts";

const LIMIT_MS = 120_000;

test("npm run cluster starts three servers that replicate a stream, elects another leader when one is killed, and ends all on Ctrl-C", async () => {
  const first = await freeRange();
  const child = spawn(process.execPath, ["scripts/cluster.mjs", String(first)], { cwd: root, stdio: ["pipe", "pipe", "inherit"] });
  const exit = once(child, "exit");
  try {
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => (output += chunk));
    const says = (text: string | RegExp) => expect.poll(() => output, { timeout: LIMIT_MS }).toMatch(text);
    await says(/Ctrl-C ends all three/);
    const urls = [0, 1, 2].map((n) => `ws://127.0.0.1:${first + n}`);
    expect(output).toContain(`servers: [${urls.map((url) => `"${url}"`).join(", ")}]`);

    const connection = await connect({ servers: [0, 1, 2].map((n) => `127.0.0.1:${first + 10 + n}`), maxReconnectAttempts: -1 });
    const { streams } = await connection.jetstreamManager();
    const leader = async () => (await streams.info("TRIED")).cluster?.leader;
    await expect(async () => void (await streams.add({ name: "TRIED", subjects: ["tried"], num_replicas: 3 }))).toPass({
      timeout: LIMIT_MS,
    });
    await connection.jetstream().publish("tried", "before");
    const killed = await leader();
    const number = killed?.replace("server-", "");

    child.stdin.write(`${number}\n`);
    await says(`${killed} has ended`);
    await expect(async () => expect([undefined, "", killed]).not.toContain(await leader())).toPass({ timeout: LIMIT_MS });
    await expect(async () => void (await connection.jetstream().publish("tried", "after"))).toPass({ timeout: LIMIT_MS });
    expect((await streams.info("TRIED")).state.messages).toBeGreaterThanOrEqual(2);

    child.stdin.write(`${number}\n`);
    await says(`${killed} runs`);
    await connection.close();
    child.kill("SIGINT");
    const [code] = (await withDeadline(exit, () => `The cluster did not end:\n${output}`)) as [number];
    expect(code).toBe(0);
    for (const port of portsFrom(first)) expect(await isFree(port), `port ${port}`).toBe(true);
  } finally {
    child.kill("SIGTERM");
    await exit;
  }
});

function portsFrom(first: number): number[] {
  return [0, 10, 20, 30].flatMap((block) => [0, 1, 2].map((n) => first + block + n));
}

/** A first port for the script, with which all of its ports are free. */
async function freeRange(): Promise<number> {
  for (;;) {
    const first = randomInt(15_000, 32_000);
    const free = await Promise.all(portsFrom(first).map(isFree));
    if (free.every(Boolean)) return first;
  }
}
