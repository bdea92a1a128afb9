import { onPath, run } from "./run.mjs";

/** @type {Promise<number> | undefined} */
let updated;

/** Whether packages can be installed: apt is there, and so are the rights. */
export function haveApt() {
  return onPath("apt-get") !== undefined && asRoot() !== undefined;
}

/**
 * Installs packages. The package lists are updated once per process.
 * @param {string[]} names
 */
export async function aptInstall(...names) {
  // An update that fails need not stop us: the lists at hand may do.
  await (updated ??= apt("update", "-qq"));
  await apt("install", "-qq", "-y", "--no-install-recommends", ...names);
}

/** @param {string[]} args */
function apt(...args) {
  // Asked of `env` inside of sudo, which would drop the variable otherwise.
  const aptGet = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-o", "DPkg::Lock::Timeout=120"];
  return run("env", [...(asRoot() ?? []), ...aptGet, ...args]);
}

/** What goes before a command that needs root; undefined where there is no way. */
function asRoot() {
  if (process.getuid?.() === 0) return [];
  const sudo = onPath("sudo");
  if (sudo === undefined) return undefined;
  // Without a terminal nobody can type the password: fail at once instead of waiting for it.
  return process.stdin.isTTY ? [sudo] : [sudo, "-n"];
}
