import type { KeyMetadata } from "../model/metadata.ts";
import type { EntriesOptions } from "../options/types.ts";
import type { Committer } from "../storage/commit/committer.ts";
import { scanRows } from "../storage/entries/scan.ts";
import type { Database } from "../storage/idb/database.ts";
import { readRevision, revisionOf } from "../storage/entries/revisions.ts";
import { ENTRIES, OUTBOX, REVISIONS, STALE } from "../storage/idb/schema.ts";
import { abortable } from "../util/abort.ts";
import { isDamage } from "../util/errors.ts";
import { metadataOf, patternOf } from "./catalog.ts";
import type { Reader } from "./reader.ts";
import type { Staleness } from "./staleness.ts";

export interface EntryIteratorPorts {
  readonly database: Pick<Database, "run">;
  readonly committer: Pick<Committer, "statesOf">;
  /** Resolves when earlier writes are committed or have failed. */
  readonly writesCommitted: () => Promise<void>;
  readonly reader: Pick<Reader, "decodeRow">;
  readonly staleness: Pick<Staleness, "areStale">;
}

export type Entry = [key: string, value: unknown, metadata: KeyMetadata];

/**
 * The living entries that match a pattern, in key order. Reads a page of rows at a time, each in a transaction of its own: none lives
 * while the consumer works. Damaged entries are left out, with a `corrupt` event each.
 */
export async function* iterateEntries(
  { database, committer, reader, staleness, writesCommitted }: EntryIteratorPorts,
  pattern: unknown,
  { tag, signal }: EntriesOptions,
): AsyncGenerator<Entry, void, undefined> {
  const { prefix, matches } = patternOf(pattern);

  const readPage = async (after: string | undefined) => {
    await writesCommitted();
    return database.run([ENTRIES, OUTBOX, STALE, REVISIONS], "readonly", async (transaction) => {
      const { found, next } = await scanRows(transaction, { prefix, tag, after }, matches);
      const ids = found.map(([, { writeId }]) => writeId);
      const [states, stale, known] = await Promise.all([
        committer.statesOf(transaction, ids),
        staleness.areStale(transaction, found),
        Promise.all(found.map(([key]) => readRevision(transaction, key))),
      ]);
      const rows = found.map(([key, row], index) => {
        const revision = revisionOf(row, known[index]);
        return { key, row, state: states[index]?.state, isStale: stale[index], revision };
      });
      return { rows, next };
    });
  };

  let after: string | undefined;
  do {
    const page = await abortable(signal, () => readPage(after));
    for (const { key, row, state, isStale, revision } of page.rows) {
      // The function of the app that returns the encryption key may wait for a person.
      const read = await abortable(signal, () => reader.decodeRow(key, row)).catch((error: unknown) => {
        if (!isDamage(error)) throw error;
      });
      if (read !== undefined) yield [key, read.decoded.value, metadataOf(key, read.row, state, isStale, revision)];
    }
    after = page.next;
  } while (after !== undefined);
}
