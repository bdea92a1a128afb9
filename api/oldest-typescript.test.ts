import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript-5.6";
import { expect, it } from "vitest";
import { emitDeclarations } from "../scripts/lib/emit.mjs";

it("an app with TypeScript 5.6, which checks libraries and has no newer lib than ES2022, compiles with the package's declarations", async () => {
  const folder = await mkdtemp(join(tmpdir(), "nas-keystore-types-"));
  try {
    expect(await emitDeclarations(folder)).toBe(0);
    // It uses every declaration, and fails as well when one of its mistakes compiles.
    const app = fileURLToPath(new URL("misuse.ts", import.meta.url));
    const program = ts.createProgram([app], {
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
    const problems = ts.getPreEmitDiagnostics(program).map(({ file, messageText }) => {
      return `${file?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}`;
    });
    expect(problems).toEqual([]);
    expect(ts.versionMajorMinor).toBe("5.6");
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
