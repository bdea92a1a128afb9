// Builds dist/ from src/: a JavaScript file and a declaration for each source file. The packages that they import are in dist/packages/.
// So an app's bundler needs no configuration, and a page without a bundler needs one line in its import map.
import { rmSync } from "node:fs";
import { build } from "vite";
import { licences, pathInDist, withoutSignatures } from "./lib/bundled-packages.mjs";
import { emitDeclarations } from "./lib/emit.mjs";
import { root } from "./lib/root.mjs";

const dist = `${root}dist`;
const src = `${root}src/`;

rmSync(dist, { recursive: true, force: true });
process.exitCode = await emitDeclarations(dist);
if (process.exitCode === 0) await buildJavaScript();

function buildJavaScript() {
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
      lib: { entry: [`${src}index.ts`, `${src}eager.ts`], formats: ["es"] },
      rolldownOptions: {
        optimization: { inlineConst: false }, // a file of dist/ reads as its source
        output: { preserveModules: true, preserveModulesRoot: src, entryFileNames: ({ name }) => `${pathInDist(name)}.js` },
      },
    },
  });
}
