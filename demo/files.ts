import type { NASKeyStore } from "nas-keystore";
import { create } from "./dom.ts";
import type { Filter } from "./entry-list.ts";

/** The browser may keep a Blob of this many lines on the disk. */
const LINES_PER_BLOB = 1000;
/** In characters. More than the largest envelope: a longer line is none. */
const MAX_LINE = 4 * 1024 * 1024;

/** A file of newline-delimited JSON. */
export interface ExportedFile {
  readonly blob: Blob;
  readonly entries: number;
}

/** What an import has read of its file. */
export interface ReadProgress {
  characters: number;
  /** Lines that are JSON. */
  lines: number;
}

/** The entries that match the filter. */
export async function exportFile(
  store: NASKeyStore,
  { pattern, tag }: Filter,
  onProgress: (entries: number) => void,
): Promise<ExportedFile> {
  const parts: Blob[] = [];
  let entries = 0;
  let lines: string[] = [];
  for await (const envelope of store.export(pattern)) {
    if (tag !== "" && !tagsOf(envelope).includes(tag)) continue;
    lines.push(`${JSON.stringify(envelope)}\n`);
    onProgress(++entries);
    if (lines.length < LINES_PER_BLOB) continue;
    parts.push(new Blob(lines));
    lines = [];
  }
  return { blob: new Blob([...parts, ...lines], { type: "application/x-ndjson" }), entries };
}

/** The envelopes of a file, one for each line. A line that is not JSON gives undefined, which an import skips. Counts characters and envelopes. */
export async function* envelopesOf(file: Blob, progress: ReadProgress): AsyncGenerator<object> {
  const reader = file.stream().pipeThrough(new TextDecoderStream()).getReader();
  const parse = (line: string): object => {
    progress.characters += line.length + 1;
    try {
      const envelope = JSON.parse(line) as object;
      progress.lines++;
      return envelope;
    } catch {
      return undefined as unknown as object;
    }
  };
  try {
    let rest = "";
    for (;;) {
      const { done, value = "\n" } = await reader.read();
      const lines = (rest + value).split("\n");
      rest = lines.pop()!;
      if (rest.length > MAX_LINE) {
        lines.push(rest);
        rest = "";
      }
      for (const line of lines) if (line.trim() !== "") yield parse(line);
      if (done) return;
    }
  } finally {
    await reader.cancel();
  }
}

/** Saves a file where the browser saves downloads. */
export function download(blob: Blob, name: string): void {
  const href = URL.createObjectURL(blob);
  create("a", { href, download: name }).click();
  // The download may start after this.
  setTimeout(() => URL.revokeObjectURL(href), 60_000);
}

function tagsOf(envelope: object): readonly string[] {
  return (envelope as { metadata: { tags: readonly string[] } }).metadata.tags;
}
