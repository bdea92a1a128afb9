import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import ts from "typescript-5.6";
import { afterAll, beforeAll, expect, it } from "vitest";
import { emitDeclarations } from "../scripts/lib/emit.mjs";

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "nas-keystore-types-"));
  if ((await emitDeclarations(folder)) !== 0) throw new Error("The declarations cannot be written.");
});

afterAll(() => rm(folder, { recursive: true, force: true }));

it("an app with TypeScript 5.6, which checks libraries and has no newer lib than ES2022, compiles with the package's declarations", () => {
  expect(ts.versionMajorMinor).toBe("5.6");
  // They use every declaration, and fail as well when one of their mistakes compiles.
  const apps = ["misuse.ts", "typed-misuse.ts"].map((name) => fileURLToPath(new URL(name, import.meta.url)));
  expect(problemsOf(compile(apps))).toEqual([]);
});

it("a typed store with 100 patterns is cheap to check", async () => {
  const patterns = Array.from({ length: 100 }, (_, index) => `  "kind${index}:\${string}": { kind: ${index} };\n`);
  const calls = patterns.map((_, index) => `void store.store(\`kind${index}:\${id}\`, { kind: ${index} });\n`);
  const program = async (name: string, body: string) => {
    const file = join(folder, name);
    await writeFile(
      file,
      `import { NASKeyStore } from "nas-keystore";\ndeclare const id: string;\nconst store = new NASKeyStore<{\n${patterns.join("")}}>();\n${body}`,
    );
    const compiled = compile([file]);
    expect(problemsOf(compiled)).toEqual([]);
    return compiled.getInstantiationCount();
  };
  const each = ((await program("calls.ts", calls.join(""))) - (await program("none.ts", ""))) / calls.length;
  // Each call compares its key with each pattern: about eight types for each. TypeScript gives up at 5,000,000.
  expect(each).toBeLessThan(1_000);
});

function compile(files: string[]): ts.Program {
  return ts.createProgram(files, {
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    noEmit: true,
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    lib: ["lib.es2022.d.ts", "lib.dom.d.ts", "lib.dom.iterable.d.ts"],
    types: [],
    paths: { "nas-keystore": [join(folder, "index.d.ts")] },
  });
}

function problemsOf(program: ts.Program): string[] {
  return ts.getPreEmitDiagnostics(program).map(({ file, messageText }) => {
    return `${file?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}`;
  });
}
