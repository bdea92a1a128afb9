import { exportedEnvelope } from "../model/envelope.ts";
import type { Emit } from "../model/events.ts";
import type { EntryRow } from "../model/row.ts";
import type { TransferOptions } from "../options/types.ts";
import { patternOf } from "../read/catalog.ts";
import type { Reader } from "../read/reader.ts";
import { scanRows } from "../storage/entries/scan.ts";
import type { Database } from "../storage/idb/database.ts";
import { ENTRIES } from "../storage/idb/schema.ts";
import { abortable } from "../util/abort.ts";
import { isDamage } from "../util/errors.ts";
import { report } from "../util/progress.ts";
import { verify } from "./verified-payload.ts";

export interface ExportPorts {
  readonly database: Pick<Database, "run">;
  readonly reader: Pick<Reader, "live">;
  readonly emit: Emit;
  /** Resolves when earlier writes are committed or have failed. */
  readonly writesCommitted: () => Promise<void>;
}

/**
 * The envelopes of the living entries that match a pattern, in key order. Reads a page of rows at a time, each in a transaction of its own.
 * Leaves out damaged entries, with a `corrupt` event each.
 */
export async function* exportEntries(
  ports: ExportPorts,
  pattern: unknown,
  { signal, onProgress }: TransferOptions,
): AsyncGenerator<object, void, undefined> {
  const { prefix, matches } = patternOf(pattern);

  const readPage = async (after: string | undefined) => {
    await ports.writesCommitted();
    const { found, next, origin } = await ports.database.run([ENTRIES], "readonly", async (transaction, generation) => ({
      ...(await scanRows(transaction, { prefix, tag: undefined, after }, matches)),
      origin: generation,
    }));
    const envelopes = await Promise.all(
      found.map(async ([key, row]) => {
        const entry = ports.reader.live(key, row);
        return entry !== undefined && (await isSound(ports, key, entry)) ? [exportedEnvelope(key, entry, origin)] : [];
      }),
    );
    return { envelopes: envelopes.flat(), next };
  };

  let after: string | undefined;
  let done = 0;
  do {
    const page = await abortable(signal, () => readPage(after));
    for (const envelope of page.envelopes) {
      signal?.throwIfAborted();
      yield envelope;
    }
    done += page.envelopes.length;
    report(onProgress, done);
    after = page.next;
  } while (after !== undefined);
}

async function isSound({ emit }: ExportPorts, key: string, entry: EntryRow): Promise<boolean> {
  try {
    await verify(key, entry);
    return true;
  } catch (error) {
    if (!isDamage(error)) throw error;
    emit("corrupt", { key, error });
    return false;
  }
}
