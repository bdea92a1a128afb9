// Builds dist/ from src/: the entry points, a chunk for each part that loads on its own, and a declaration for each source file. The packages that
// they import are in dist/packages/.
// So an app's bundler needs no configuration, and a page without a bundler needs one line in its import map.
import { rmSync } from "node:fs";
import { build } from "vite";
import { licences, packageOf, withoutSignatures } from "./lib/bundled-packages.mjs";
import { chunksOf } from "./lib/chunks.mjs";
import { emitDeclarations } from "./lib/emit.mjs";
import { root } from "./lib/root.mjs";

const dist = `${root}dist`;
const src = `${root}src/`;

rmSync(dist, { recursive: true, force: true });
process.exitCode = await emitDeclarations(dist);
if (process.exitCode === 0) {
  const chunks = chunksOf(src);
  await buildJavaScript("index", (id) => chunks.get(id));
  // Apart, so that it shares no chunks with the parts that load lazily.
  await buildJavaScript("eager", (id) => (id === `${src}eager.ts` ? undefined : "parts/eager"));
}

/**
 * @param {string} entry
 * @param {(id: string) => string | undefined} chunkOf the chunk of a source file
 */
function buildJavaScript(entry, chunkOf) {
  /** @param {string} id */
  const nameOf = (id) => {
    const name = packageOf(id);
    return name === undefined ? chunkOf(id) : `packages/${name}/index`;
  };
  return build({
    configFile: false,
    root,
    logLevel: "warn",
    plugins: [withoutSignatures(), licences()],
    define: { Buffer: "undefined" }, // Node's. Parcel would add a polyfill of it for code that browsers never run.
    build: {
      outDir: dist,
      emptyOutDir: false,
      target: "es2022",
      minify: false,
      sourcemap: true,
      lib: { entry: `${src}${entry}.ts`, formats: ["es"] },
      rolldownOptions: {
        optimization: { inlineConst: false }, // a chunk of dist/ reads as its sources
        preserveEntrySignatures: "allow-extension", // the chunks of ours import each other
        output: {
          entryFileNames: "[name].js",
          chunkFileNames: "[name].js",
          minifyInternalExports: false,
          codeSplitting: { includeDependenciesRecursively: false, groups: [{ name: nameOf, debugName: "chunks" }] },
        },
      },
    },
  });
}
