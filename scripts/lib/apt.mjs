import { onPath, run } from "./run.mjs";

/** @type {Promise<number> | undefined} */
let updated;

/** Whether apt exists and this user may install packages. */
export function haveApt() {
  return onPath("apt-get") !== undefined && asRoot() !== undefined;
}

/**
 * Installs packages. The package lists are updated once per process.
 * @param {string[]} names
 */
export async function aptInstall(...names) {
  // If the update fails, the present lists may be good enough.
  await (updated ??= apt("update", "-qq"));
  await apt("install", "-qq", "-y", "--no-install-recommends", ...names);
}

/** @param {string[]} args */
function apt(...args) {
  // `env` sets the variable inside sudo, which would drop it.
  const aptGet = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-o", "DPkg::Lock::Timeout=120"];
  return run("env", [...(asRoot() ?? []), ...aptGet, ...args]);
}

/** The prefix of a command that needs root; undefined if there is none. */
function asRoot() {
  if (process.getuid?.() === 0) return [];
  const sudo = onPath("sudo");
  if (sudo === undefined) return undefined;
  // Without a terminal, nobody can enter the password: fail at once instead of waiting.
  return process.stdin.isTTY ? [sudo] : [sudo, "-n"];
}
