import { appendFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { gzipSync } from "node:zlib";
import { build, type Rolldown } from "vite";
import { appConfig } from "./bundle.ts";

export interface AppSize {
  /** Gzipped KB (1,000 bytes) of what the page loads at its start. */
  readonly entry: number;
  /** Gzipped KB of each chunk that is loaded later. */
  readonly lazy: Readonly<Record<string, number>>;
}

const WITHOUT = `document.title = "app";\n`;
/** The page of the size limit: no export of the library is dropped. */
const ALL_EXPORTS = `import * as nas from "nas-keystore";\nwindow.nas = nas;\n`;
const WITH = `import { NASKeyStore } from "nas-keystore";\n${WITHOUT}globalThis.store = new NASKeyStore();\n`;

/** The same small app with a store and without, as Vite builds it. */
export async function measureSize(): Promise<{ ours: AppSize; peer: AppSize }> {
  return { ours: await sizeOf(WITH), peer: await sizeOf(WITHOUT) };
}

/**
 * Builds a page that uses all exports of the library. Writes its entry chunk, and the chunks that this imports statically, into a folder.
 * Writes each chunk that it loads later into another folder, under its name.
 */
export async function writeChunks(folder: string, lazyFolder: string): Promise<void> {
  const chunks = await buildApp(ALL_EXPORTS);
  const atStart = startOf(chunks);
  for (const path of [folder, lazyFolder]) {
    await rm(path, { recursive: true, force: true });
    await mkdir(path, { recursive: true });
  }
  for (const { fileName, name, code } of chunks) {
    // The start of a lazy part and the chunk that it shares with another part have one name.
    if (atStart.has(fileName)) await writeFile(join(folder, basename(fileName)), code);
    else await appendFile(join(lazyFolder, `${name}.js`), code);
  }
}

async function sizeOf(source: string): Promise<AppSize> {
  return measure(await buildApp(source));
}

function buildApp(source: string): Promise<Rolldown.OutputChunk[]> {
  return inApp(source, async (root) => {
    const { output } = (await build({ ...appConfig, root, build: { write: false } })) as Rolldown.RolldownOutput;
    return output.filter((part) => part.type === "chunk");
  });
}

/** Runs a function with a folder that contains the sources of an app. */
async function inApp<T>(source: string, work: (root: string) => Promise<T>): Promise<T> {
  const root = await mkdtemp(join(tmpdir(), "nas-keystore-app-"));
  try {
    await writeFile(join(root, "index.html"), `<!doctype html><script type="module" src="./main.js"></script>`);
    await writeFile(join(root, "main.js"), source);
    return await work(root);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

/** The names of the chunks that the page loads at its start. */
function startOf(chunks: readonly Rolldown.OutputChunk[]): Set<string> {
  const atStart = new Set<string>();
  const load = (name: string): void => {
    if (atStart.has(name)) return;
    atStart.add(name);
    chunks.find(({ fileName }) => fileName === name)?.imports.forEach(load);
  };
  for (const { isEntry, fileName } of chunks) if (isEntry) load(fileName);
  return atStart;
}

function measure(chunks: readonly Rolldown.OutputChunk[]): AppSize {
  const atStart = startOf(chunks);
  const sizes = chunks.map((chunk) => [chunk, gzipSync(chunk.code).length / 1000] as const);
  const entry = sizes.filter(([{ fileName }]) => atStart.has(fileName)).reduce((sum, [, size]) => sum + size, 0);
  const lazy: Record<string, number> = {};
  for (const [{ fileName, name }, size] of sizes) if (!atStart.has(fileName)) lazy[name] = (lazy[name] ?? 0) + size;
  return { entry, lazy };
}
