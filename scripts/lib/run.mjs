import { execFile, spawn } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import { root } from "./root.mjs";
import { onAskedToEnd } from "./signals.mjs";

/**
 * Runs a command in the project's folder and shows its output. Resolves to its exit code, or 1 if it did not start.
 * A signal to end ends the command, then this process.
 * `group` is for a command that has children: all of them receive the signal. The command cannot read from the terminal.
 * A command that runs longer than `limitMs` is ended.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ env?: Record<string, string>, group?: boolean, limitMs?: number }} [options]
 * @returns {Promise<number>}
 */
export function run(command, args, { env, group = false, limitMs } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: root,
      stdio: [group ? "ignore" : "inherit", "inherit", "inherit"],
      detached: group,
      timeout: limitMs,
      env: { ...process.env, ...env },
    });
    let asked = false;
    const stopListening = onAskedToEnd((signal) => {
      asked = true;
      if (child.pid === undefined) return;
      process.kill(group ? -child.pid : child.pid, signal);
      if (group) process.kill(-child.pid, "SIGCONT"); // a suspended process does not receive other signals
    });
    child.on("error", (error) => {
      stopListening();
      console.error(`${command}: ${error.message}`);
      resolve(1);
    });
    child.on("exit", (code) => {
      stopListening();
      if (asked) process.exit(1);
      resolve(code ?? 1);
    });
  });
}

/**
 * Runs npm: the one that runs this process, not the one on the PATH.
 * @param {readonly string[]} args
 * @param {Parameters<typeof run>[2]} [options]
 */
export function npm(args, options) {
  const self = process.env["npm_execpath"];
  return self?.endsWith("js") ? run(process.execPath, [self, ...args], options) : run("npm", args, options);
}

/**
 * The trimmed output of a command; undefined if the command does not exist, fails, or runs longer than `limitMs`.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {number} [limitMs]
 * @returns {Promise<string | undefined>}
 */
export function ask(command, args, limitMs) {
  return new Promise((resolve) => {
    execFile(command, args, { cwd: root, timeout: limitMs }, (error, stdout) => resolve(error ? undefined : stdout.trim()));
  });
}

/**
 * The path of a program that the PATH contains.
 * @param {string} name
 * @returns {string | undefined}
 */
export function onPath(name) {
  const folders = (process.env["PATH"] ?? "").split(delimiter).filter(Boolean);
  return firstProgram(folders.map((folder) => join(folder, name)));
}

/**
 * The first of these files that is executable.
 * @param {readonly (string | undefined)[]} paths
 * @returns {string | undefined}
 */
export function firstProgram(paths) {
  return paths.find((path) => path !== undefined && isProgram(path));
}

/** @param {string} path */
function isProgram(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
