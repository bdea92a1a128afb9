import { readFile, writeFile } from "node:fs/promises";

const BEGIN = "<!-- measured: begin (npm run bench rewrites this) -->";
const END = "<!-- measured: end -->";

/** Puts text between the markers of a document, in place of what is there. */
export async function rewriteMeasured(path: string, text: string): Promise<void> {
  const document = await readFile(path, "utf8");
  const [begin, end] = [document.indexOf(BEGIN), document.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`${path} has no place for what was measured: ${BEGIN} … ${END}`);
  await writeFile(path, `${document.slice(0, begin + BEGIN.length)}\n\n${text.trim()}\n\n${document.slice(end)}`);
}
