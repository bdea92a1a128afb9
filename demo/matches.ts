import { confirm } from "./confirm.ts";
import { find, onClick } from "./dom.ts";
import { download, envelopesOf, exportFile, type ReadProgress } from "./files.ts";
import { count } from "./format.ts";
import { run, type Notice } from "./notice.ts";
import type { Screen } from "./screen.ts";
import { readSettings } from "./settings.ts";

/** A screen reader speaks each text of a notice. */
const PROGRESS_MS = 1000;

/** The controls below the keys: for the entries that match the filter, and for files of entries. */
export function wireMatches(screen: Screen): void {
  const notice = screen.notices.keys;
  const file = find("import-file", HTMLInputElement);

  onClick("pull", (button) => void run(button, notice, () => pull(screen)));

  onClick(
    "invalidate",
    (button) =>
      void run(button, notice, async () => {
        const { pattern, tag } = screen.filter;
        const marked = await screen.store.invalidate({ pattern, ...(tag === "" ? undefined : { tag }) });
        await screen.afterWrite();
        if (marked > 0) notice.say(`Marked ${entries(marked)} as stale.`, "success");
        else notice.say("No entry was marked: none matches, or all are stale already.");
      }),
  );

  onClick(
    "delete-by-tag",
    (button) =>
      void run(button, notice, async () => {
        const { store } = screen;
        const { tag } = screen.filter;
        const keys = await store.listKeys("*", { tag });
        if (keys.length === 0) return notice.say(`No entry has the tag “${tag}”.`);
        const yes = await confirm({
          title: `Delete by the tag “${tag}”?`,
          text: `This deletes ${entries(keys.length)}, whatever the pattern is, and publishes each delete.`,
          yes: "Delete",
        });
        if (!yes) return;
        const done = `Deleted ${entries(await store.deleteByTag(tag))}.`;
        notice.sayQueued(`${done} The deletes are queued, and published as soon as the server answers.`, keys, done);
        await screen.afterWrite();
      }),
  );

  onClick(
    "export",
    (button) =>
      void run(button, notice, async () => {
        const onProgress = progress(notice, (done) => `Exporting … ${entries(done)}`);
        const { blob, entries: exported } = await exportFile(screen.store, screen.filter, onProgress);
        if (exported === 0) return notice.say("No key matches: there is nothing to export.");
        const name = `${readSettings().namespace}-${new Date().toLocaleDateString("sv")}.ndjson`;
        download(blob, name);
        notice.say(`Exported ${entries(exported)} to “${name}”.`, "success");
      }),
  );

  const importButton = onClick("import", () => file.click());
  file.addEventListener("change", () => {
    const chosen = file.files?.[0];
    // The same file can be chosen again.
    file.value = "";
    if (chosen !== undefined) void run(importButton, notice, () => importFile(screen, chosen));
  });
}

async function pull(screen: Screen): Promise<void> {
  const notice = screen.notices.keys;
  const onProgress = progress(notice, (done) => `Pulling … ${count(done, "message")}`);
  const { applied, deleted, skipped, rejected, revision } = await screen.store.pull({ onProgress });
  await screen.afterWrite();
  if (applied + deleted + skipped + rejected === 0) return notice.say(`Nothing is newer in the stream, up to revision ${revision}.`);
  const changed = `Pulled up to revision ${revision}: ${entries(applied)} written, ${deleted.toLocaleString("en")} deleted`;
  const left = `${count(skipped, "message")} skipped, ${rejected.toLocaleString("en")} rejected.`;
  notice.say(`${changed}; ${left}`, rejected === 0 ? "success" : "waiting");
}

async function importFile(screen: Screen, file: File): Promise<void> {
  const notice = screen.notices.keys;
  const read: ReadProgress = { characters: 0, lines: 0 };
  const onProgress = progress(
    notice,
    (done) => `Importing … ${entries(done)}, ${Math.round((100 * read.characters) / file.size)} % of the file`,
  );
  const { imported, skipped } = await screen.store.import(envelopesOf(file, read), { onProgress });
  await screen.afterWrite();
  if (read.lines === 0) return notice.say(`“${file.name}” has no entries. Choose a file that Export has made.`, "error");
  const result = `Imported ${entries(imported)}, skipped ${skipped.toLocaleString("en")}.`;
  if (imported > 0) notice.say(result, "success");
  else notice.say(`${result} A line is skipped if it is damaged, has expired, or is not newer than the entry here.`);
}

/** Shows progress from time to time. */
function progress(notice: Notice, text: (done: number) => string): (done: number) => void {
  let next = performance.now() + PROGRESS_MS;
  return (done) => {
    if (performance.now() < next) return;
    next = performance.now() + PROGRESS_MS;
    notice.say(text(done));
  };
}

function entries(number: number): string {
  return count(number, "entry", "entries");
}
