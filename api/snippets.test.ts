import { mkdir, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import ts from "typescript-5.6";
import { expect, it } from "vitest";
import { moduleOf, runnableSnippets } from "../e2e/support/snippets.ts";
import { emitDeclarations } from "../scripts/lib/emit.mjs";

const folder = fileURLToPath(new URL("../reports/snippet-types", import.meta.url));

it("every TypeScript snippet of the documents compiles with the package's declarations", async () => {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  expect(await emitDeclarations(`${folder}/nas-keystore`)).toBe(0);
  const snippets = runnableSnippets().filter(({ language }) => language === "ts");
  const names = new Map(snippets.map(({ file, name }) => [`${folder}/${file}.ts`, name]));
  for (const snippet of snippets) {
    await writeFile(`${folder}/${snippet.file}.ts`, snippet.setup.runs === "test" ? snippet.code : moduleOf(snippet));
  }
  const program = ts.createProgram([...names.keys()], {
    strict: true,
    skipLibCheck: true,
    noEmit: true,
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    allowImportingTsExtensions: true,
    lib: ["lib.es2022.d.ts", "lib.esnext.disposable.d.ts", "lib.dom.d.ts", "lib.dom.iterable.d.ts"],
    types: ["node"],
    paths: { "nas-keystore": [`${folder}/nas-keystore/index.d.ts`], "nas-keystore/eager": [`${folder}/nas-keystore/eager.d.ts`] },
  });
  const problems = ts.getPreEmitDiagnostics(program).map(({ file, start = 0, messageText }) => {
    const line = file?.text.slice(start).split("\n")[0];
    return `${names.get(file?.fileName ?? "") ?? file?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, "\n")} At: ${line}`;
  });
  expect(problems).toEqual([]);
});
