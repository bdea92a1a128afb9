import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { aptInstall, haveApt } from "./apt.mjs";
import { root } from "./root.mjs";
import { ask, firstProgram, onPath, run } from "./run.mjs";

const GO_MODULE = "github.com/nats-io/nats-server/v2@v2.10.29";
const IMAGE = "nats:2.10";
const COPIED = join(root, ".tools/bin/nats-server");

/** How a user can install nats-server. */
export const howToGetAServer = [
  "get nats-server from your package manager (Debian, Ubuntu: apt install nats-server; macOS: brew install nats-server),",
  `with Go (go install ${GO_MODULE}), or from https://nats.io/download, and add it to the PATH`,
].join("\n");

/**
 * The path of nats-server: on the PATH, or in a folder of the package managers.
 * @returns {Promise<string | undefined>}
 */
export async function findNatsServer() {
  return (
    onPath("nats-server") ??
    firstProgram([
      "/usr/sbin/nats-server", // Debian: on root's PATH only
      "/opt/homebrew/bin/nats-server",
      "/usr/local/bin/nats-server",
      COPIED,
      await goBinary(),
    ])
  );
}

/**
 * Finds nats-server, or installs it with the first package manager that can.
 * @returns {Promise<string | undefined>}
 */
export async function ensureNatsServer() {
  const found = await findNatsServer();
  if (found !== undefined) return found;
  for (const { name, usable, install } of installers) {
    if (!usable()) continue;
    console.log(`nats-server is missing: installing it with ${name}`);
    await install();
    const installed = await findNatsServer();
    if (installed !== undefined) return installed;
  }
  return undefined;
}

/** @type {{ name: string, usable: () => boolean, install: () => Promise<unknown> }[]} */
const installers = [
  { name: "apt", usable: haveApt, install: () => aptInstall("nats-server") },
  { name: "Homebrew", usable: has("brew"), install: () => run("brew", ["install", "nats-server"]) },
  { name: "go install", usable: has("go"), install: () => run("go", ["install", GO_MODULE]) },
  { name: "Docker", usable: () => process.platform === "linux" && has("docker")(), install: copyOutOfImage },
];

/** @param {string} program */
function has(program) {
  return () => onPath(program) !== undefined;
}

/** The path that `go install` uses. */
async function goBinary() {
  if (onPath("go") === undefined) return undefined;
  const [bin, path] = ((await ask("go", ["env", "GOBIN", "GOPATH"])) ?? "").split(/\r?\n/);
  return bin ? join(bin, "nats-server") : path ? join(path, "bin/nats-server") : undefined;
}

// The image contains one static binary. Outside a container, tests can stop and suspend its process.
async function copyOutOfImage() {
  const container = await ask("docker", ["create", IMAGE]);
  if (container === undefined) return;
  mkdirSync(join(root, ".tools/bin"), { recursive: true });
  await run("docker", ["cp", `${container}:/nats-server`, COPIED]);
  await ask("docker", ["rm", container]);
}
