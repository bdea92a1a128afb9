import type { EntryRow, Row } from "../model/row.ts";
import { find } from "../storage/entries/find.ts";
import { scanKeys } from "../storage/entries/scan.ts";
import { replaceRows } from "../storage/entries/write.ts";
import type { Database } from "../storage/idb/database.ts";
import { ENTRIES, OUTBOX, REVISIONS } from "../storage/idb/schema.ts";

/** Other tabs wait for one transaction at a time. */
const PAGE_KEYS = 256;

/** Forgets the revisions of all entries, page after page: they are those of a stream that is gone. The entries stay. */
export async function forgetRevisions(database: Pick<Database, "run">): Promise<void> {
  await database.run([REVISIONS], "readwrite", (transaction) => void transaction.objectStore(REVISIONS).clear());
  let after: string | undefined;
  do {
    after = await database.run([ENTRIES, OUTBOX], "readwrite", async (transaction) => {
      const { found: keys, next } = await scanKeys(transaction, { prefix: "", tag: undefined, after }, PAGE_KEYS);
      const found = await find(transaction, keys);
      const changed = Array.from(found.rows).filter(([, row]) => "revision" in row || "base" in row);
      await replaceRows(transaction, found, new Map(changed.map(([key, row]) => [key, withoutRevision(row)])));
      return next;
    });
  } while (after !== undefined);
}

/** The same write, so that its outbox record and its stale mark still match. */
function withoutRevision(row: Row): Row {
  const { revision: _, base: __, ...rest } = row as EntryRow;
  return rest;
}
