import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { SETUPS, type Setup } from "../snippets/setups.ts";

const CONTEXT = fileURLToPath(new URL("../snippets/context.ts", import.meta.url));
const root = fileURLToPath(new URL("../../", import.meta.url));

/** A code block of a document. */
export interface Snippet {
  /** The document and the heading above the block, with a number from the second block of a heading on: "README.md › Quick start (2)". */
  readonly name: string;
  readonly language: string;
  readonly code: string;
}

/** A snippet that runs, and what it needs around it. */
export interface RunnableSnippet extends Snippet {
  /** A name for a file. */
  readonly file: string;
  readonly setup: Setup;
}

/** The documents whose snippets run. */
const DOCUMENTS = [
  "README.md",
  "SECURITY.md",
  ...readdirSync(`${root}docs`).flatMap((name) => (name.endsWith(".md") ? [`docs/${name}`] : [])),
];

export function readSnippets(): Snippet[] {
  return DOCUMENTS.flatMap((path) => snippetsOf(path, readFileSync(root + path, "utf8")));
}

/** The snippets in TypeScript or JavaScript. @throws Error when one has no setup, or a setup no snippet */
export function runnableSnippets(): RunnableSnippet[] {
  const snippets = readSnippets().filter(({ language }) => language === "ts" || language === "js");
  const names = new Set(snippets.map(({ name }) => name));
  const unknown = Object.keys(SETUPS).filter((name) => !names.has(name));
  if (unknown.length > 0) throw new Error(`No document has the snippets ${unknown.join(", ")}. Correct e2e/snippets/setups.ts.`);
  return snippets.map((snippet, index) => {
    const setup = SETUPS[snippet.name];
    if (setup === undefined) throw new Error(`The snippet "${snippet.name}" has no line in e2e/snippets/setups.ts.`);
    return { ...snippet, file: `snippet-${index}`, setup };
  });
}

const EXPORTS = ["NASKeyStore", "KeyStoreError", "KeyFormat", "destroyNamespace", "deriveKey"];

/** A module whose default export runs the snippet between the code of its setup. Its imports come first, and its server is that of the test. */
export function moduleOf({ code, setup: { before = "", after = "" } }: RunnableSnippet): string {
  const imports: string[] = [];
  const content = [before, code, after]
    .join("\n")
    .replaceAll(/^ *import [^;]+;.*$/gm, (line) => {
      imports.push(line);
      return "";
    })
    .replaceAll('"ws://localhost:9222"', "server")
    .replaceAll('"nats://localhost:4222"', "tcpServer")
    .replaceAll(/(new NASKeyStore(?:<[^(]*>)?\(\{)(?![^)]*\bservers\b)/g, "$1 servers: server,");
  const missing = EXPORTS.filter((name) => content.includes(name) && !imports.join().includes(name));
  if (missing.length > 0) imports.push(`import { ${missing.join(", ")} } from "nas-keystore";`);
  return `${imports.join("\n")}
export default async function run({ server, tcpServer, namespace, check, settled, publish }: import("${CONTEXT}").SnippetContext): Promise<void> {
${content}
}
`;
}

function snippetsOf(path: string, text: string): Snippet[] {
  const snippets: Snippet[] = [];
  const counts = new Map<string, number>();
  let heading = "";
  let open: { language: string; lines: string[] } | undefined;
  for (const line of text.split("\n")) {
    if (open !== undefined) {
      if (line.trim() === "```") {
        const place = `${path} › ${heading}`;
        const count = (counts.get(place) ?? 0) + 1;
        counts.set(place, count);
        snippets.push({ name: count === 1 ? place : `${place} (${count})`, language: open.language, code: open.lines.join("\n") });
        open = undefined;
      } else open.lines.push(line);
    } else if (line.trim().startsWith("```")) open = { language: line.trim().slice(3), lines: [] };
    else if (/^#+ /.test(line)) heading = line.replace(/^#+ /, "");
  }
  return snippets;
}
