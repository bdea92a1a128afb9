import { readdir, readFile, truncate } from "node:fs/promises";
import { join } from "node:path";

const BLOCK_BYTES = 32 * 1024;
/** Checksum (4), length (2), type (1). */
const HEADER_BYTES = 7;
/** The types of a complete record, and of the last part of a divided record. */
const ENDS_RECORD = new Set([1, 4]);

/**
 * Truncates a partial record at the end of a profile's IndexedDB logs after a kill, as LevelDB itself does when it reads them.
 *
 * Chromium writes a log record's header and its payload by two calls. When it is killed between them and started again,
 * LevelDB skips the header without a payload, and appends to the log (`reuse_logs`). At the next start it finds a
 * wrong checksum in the middle of the log, and Chromium deletes all of the site's databases ("Creating DB … since it
 * was missing"). That is a defect of the browser which no page can prevent, seen here about once in a hundred kills under
 * load (Chromium 156): docs/RELIABILITY.md.
 * @returns the number of logs with a partial record
 */
export async function mendTornLogs(profile: string): Promise<number> {
  const folder = join(profile, "Default", "IndexedDB");
  const files = await readdir(folder, { recursive: true }).catch(() => []);
  let torn = 0;
  for (const file of files) {
    if (!/\d+\.log$/.test(file)) continue;
    const path = join(folder, file);
    const log = await readFile(path);
    const end = endOfWhole(log);
    if (end === log.length) continue;
    await truncate(path, end);
    torn++;
  }
  return torn;
}

/** The end of the last complete record. */
function endOfWhole(log: Uint8Array): number {
  const view = new DataView(log.buffer, log.byteOffset, log.byteLength);
  let end = 0;
  for (let at = 0; at < log.length;) {
    const left = BLOCK_BYTES - (at % BLOCK_BYTES);
    if (left < HEADER_BYTES) {
      at += left; // filled up with zeros
      continue;
    }
    if (at + HEADER_BYTES > log.length) break;
    const [length, type] = [view.getUint16(at + 4, true), view.getUint8(at + 6)];
    at += HEADER_BYTES + length;
    if (at > log.length) break;
    if (ENDS_RECORD.has(type)) end = at;
  }
  return end;
}
