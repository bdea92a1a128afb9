import { mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { aptInstall, haveApt } from "./apt.mjs";
import { root } from "./root.mjs";
import { ask, firstProgram, onPath, run } from "./run.mjs";

const GO_MODULE = "github.com/nats-io/nats-server/v2@v2.10.29";
const IMAGE = "nats:2.10";
const COPIED = join(root, ".tools/bin/nats-server");

/** The newest version that the tests run on, beside the one that the machine has. */
const NEWEST = "2.15.2";
const NEWEST_MODULE = `github.com/nats-io/nats-server/v2@v${NEWEST}`;
const BUILT = join(root, `.tools/bin/nats-server-${NEWEST}`);
/** The module proxy answers in seconds or not at all. */
const ANSWER_MS = 60_000;
/** A build takes half a minute on two cores. */
const BUILD_MS = 15 * 60_000;

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
      BUILT,
    ])
  );
}

/** The same, but rejects if there is none. */
export async function requireNatsServer() {
  const found = await findNatsServer();
  if (found === undefined) throw new Error(`No nats-server was found: ${howToGetAServer}`);
  return found;
}

/**
 * The servers that tests of JetStream run on: the one that `findNatsServer` finds, and the newest one if it has been built.
 * @typedef {{ program: string, version: string }} FoundServer `version`: "2.9.10"
 * @returns {Promise<FoundServer[]>}
 */
export async function findNatsServers() {
  const programs = [await findNatsServer(), firstProgram([BUILT])].filter((path) => path !== undefined);
  const found = await Promise.all(programs.map(async (program) => ({ program, version: await versionOf(program) })));
  return found.filter(({ version }, index) => found.findIndex((other) => other.version === version) === index);
}

/**
 * Finds nats-server or installs it, and builds the newest one if Go can. Without Go, or without the module proxy, the newest one
 * is missing.
 * @returns {Promise<FoundServer[]>}
 */
export async function ensureNatsServers() {
  if ((await ensureNatsServer()) === undefined) return [];
  const found = await findNatsServers();
  if (found.some(({ version }) => version === NEWEST)) return found;
  await buildNewest();
  return findNatsServers();
}

/**
 * One line that says which servers are tested.
 * @param {readonly FoundServer[]} servers
 */
export function describeNatsServers(servers) {
  if (servers.length === 0) return `nats-server  missing: ${howToGetAServer.replaceAll("\n", " ")}`;
  const tested = servers.map(({ program, version }) => `${version} (${program})`).join(" and ");
  const hasNewest = servers.some(({ version }) => version === NEWEST);
  return `nats-server  ${tested}${hasNewest ? "" : `; ${NEWEST} is missing and is not tested: Go and its module proxy can build it`}`;
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

// Builds in a folder of this process, because an interrupted build, or two at once, may leave half a program.
async function buildNewest() {
  const go = firstProgram([onPath("go"), "/usr/local/go/bin/go", "/opt/homebrew/bin/go"]);
  if (go === undefined || (await ask(go, ["list", "-m", NEWEST_MODULE], ANSWER_MS)) === undefined) return;
  console.log(`building nats-server ${NEWEST} for the tests: go install ${NEWEST_MODULE}`);
  const folder = `${BUILT}.${process.pid}`;
  const code = await run(go, ["install", NEWEST_MODULE], { env: { GOBIN: folder }, limitMs: BUILD_MS });
  if (code === 0) renameSync(join(folder, "nats-server"), BUILT);
  rmSync(folder, { recursive: true, force: true });
}

/** @param {string} program */
async function versionOf(program) {
  return (await ask(program, ["--version"]))?.match(/\d+\.\d+\.\d+\S*/)?.[0] ?? "unknown";
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
