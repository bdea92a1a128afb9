import { execFile } from "node:child_process";
import { copyFile, cp, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { ensurePackages } from "../../scripts/lib/packages.mjs";

const root = fileURLToPath(new URL("../../", import.meta.url));
const here = fileURLToPath(new URL(".", import.meta.url));

type Command = readonly [program: string, ...args: string[]];

/** The command with which each bundler builds the app into a folder, without a configuration. */
const BUILDS: Readonly<Record<string, (out: string) => Command>> = {
  Vite: (out) => [`${root}node_modules/.bin/vite`, "build", "--outDir", out],
  Parcel: (out) => [bin("parcel"), "build", "index.html", "--dist-dir", out, "--no-autoinstall"],
  webpack: (out) => [bin("webpack"), "./main.js", "--mode", "production", "--output-path", out],
  Rollup: (out) => [bin("rollup"), "main.js", "--dir", out, "--plugin", "@rollup/plugin-node-resolve"],
  esbuild: (out) => [bin("esbuild"), "main.js", "--bundle", "--minify", `--outfile=${out}/main.js`],
};

export const BUNDLERS: readonly string[] = Object.keys(BUILDS);

/** Those that take index.html as the entry. The others write main.js only. */
const TAKE_HTML = ["Vite", "Parcel"];

/** Makes a folder with the app in which the packed library is installed, and no other package. */
export async function makeApp(): Promise<string> {
  if (!(await ensurePackages("e2e/bundlers/", ["--ignore-scripts"]))) throw new Error("The bundlers could not be installed.");
  // Not in this project, where bundlers would find its packages.
  const app = await mkdtemp(`${tmpdir()}/nas-keystore-app-`);
  await cp(`${here}app`, app, { recursive: true });
  const tarball = await run(root, "npm", "pack", "--silent", "--ignore-scripts", "--pack-destination", app);
  await run(app, "npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", `./${tarball.trim()}`);
  return app;
}

/** Builds the app. @returns the folder of the page, and what the bundler has printed */
export async function buildApp(app: string, bundler: string): Promise<{ folder: string; printed: string }> {
  const folder = `${app}/out/${bundler}`;
  const command = BUILDS[bundler] as (out: string) => Command;
  const printed = await run(app, ...command(folder));
  if (!TAKE_HTML.includes(bundler)) await copyFile(`${app}/index.html`, `${folder}/index.html`);
  return { folder, printed };
}

/** Compiles types.ts of the app, the declarations of the library included. */
export async function checkTypes(app: string): Promise<void> {
  await run(app, `${root}node_modules/.bin/tsc`, "-p", "tsconfig.app.json");
}

/** Runs a command in a folder. @returns everything that it prints */
async function run(cwd: string, ...[program, ...args]: Command): Promise<string> {
  const { stdout, stderr } = await promisify(execFile)(program, args, { cwd, timeout: 240_000 });
  return stdout + stderr;
}

function bin(name: string): string {
  return `${here}node_modules/.bin/${name}`;
}
