import { execFile, spawn } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import { root } from "./root.mjs";
import { onAskedToEnd } from "./signals.mjs";

/**
 * Runs a command in the project's folder; what it prints passes through. Resolves to its exit code, 1 where it did not start.
 * Asked to end meanwhile, it ends the command, then this process.
 * `group` is for a command with children of its own: all of them are told to end. It has no terminal to read from.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ env?: Record<string, string>, group?: boolean }} [options]
 * @returns {Promise<number>}
 */
export function run(command, args, { env, group = false } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: root,
      stdio: [group ? "ignore" : "inherit", "inherit", "inherit"],
      detached: group,
      env: { ...process.env, ...env },
    });
    let asked = false;
    const stopListening = onAskedToEnd((signal) => {
      asked = true;
      if (child.pid === undefined) return;
      process.kill(group ? -child.pid : child.pid, signal);
      if (group) process.kill(-child.pid, "SIGCONT"); // a suspended process does not hear
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
 * npm, the same that runs us, whatever the PATH says.
 * @param {readonly string[]} args
 * @param {Parameters<typeof run>[2]} [options]
 */
export function npm(args, options) {
  const self = process.env["npm_execpath"];
  return self?.endsWith("js") ? run(process.execPath, [self, ...args], options) : run("npm", args, options);
}

/**
 * What a command answers, trimmed; undefined where there is no such command or it fails.
 * @param {string} command
 * @param {readonly string[]} args
 * @returns {Promise<string | undefined>}
 */
export function ask(command, args) {
  return new Promise((resolve) => {
    execFile(command, args, { cwd: root }, (error, stdout) => resolve(error ? undefined : stdout.trim()));
  });
}

/**
 * Where the PATH has a program.
 * @param {string} name
 * @returns {string | undefined}
 */
export function onPath(name) {
  const folders = (process.env["PATH"] ?? "").split(delimiter).filter(Boolean);
  return firstProgram(folders.map((folder) => join(folder, name)));
}

/**
 * The first of these files that can be run.
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
