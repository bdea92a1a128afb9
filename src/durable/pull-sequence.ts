import { promisifyRequest } from "idb-keyval";

import type { Database } from "../storage/idb/database.ts";
import { META, PULLED } from "../storage/idb/schema.ts";
import { isCount } from "../util/count.ts";
import { randomId } from "../util/random-id.ts";
import type { StreamInfo } from "./stream-api.ts";

/** What META remembers of the pulls from a stream. */
export interface Pulled {
  /** Another one after `clearCache()`: the pulls before it do not count. */
  readonly id: string;
  readonly stream: string;
  /** When the stream was created. */
  readonly created: string;
  /** Pattern → the stream sequence up to which the entries that match it are in this database. "*" counts for every pattern. */
  readonly sequences: ReadonlyMap<string, number>;
  /** Keys whose messages were skipped for an unconfirmed write of this browser. The next pull asks for their last messages. */
  readonly again: readonly string[];
}

/** Undefined: nothing was pulled, or what META has is damaged. */
export function readPulled(database: Pick<Database, "run">): Promise<Pulled | undefined> {
  return database.run([META], "readonly", inTransaction);
}

/**
 * What META remembers of earlier pulls from a stream, those of other tabs included; of none, if there were none.
 * @param gone the `id` of pulls from a stream that is gone
 */
export function beginPull(database: Pick<Database, "run">, { config, created }: StreamInfo, gone: string | undefined): Promise<Pulled> {
  return database.run([META], "readwrite", async (transaction) => {
    const found = await inTransaction(transaction);
    if (found?.stream === config.name && found.created === created && found.id !== gone) return found;
    const pulled: Pulled = { id: randomId(), stream: config.name, created, sequences: new Map(), again: [] };
    transaction.objectStore(META).put(pulled, PULLED);
    return pulled;
  });
}

/** The stream sequence up to which a pattern was pulled from this stream. */
export function pulledTo(pulled: Pulled | undefined, pattern: string): number {
  return Math.max(pulled?.sequences.get("*") ?? 0, pulled?.sequences.get(pattern) ?? 0);
}

/** Whether the pulls were from this stream. A stream that was created again begins at 1; one that was restored may lack the last messages. */
export function isOfStream({ stream, created, sequences }: Pulled, { config, state, created: now }: StreamInfo): boolean {
  return stream === config.name && created === now && [...sequences.values()].every((sequence) => sequence <= state.last_seq);
}

export interface PullProgress {
  readonly pattern: string;
  readonly upTo: number;
  /** Keys whose last messages were asked for: they were skipped before. */
  readonly asked: readonly string[];
  /** Keys whose messages were skipped for an unconfirmed write. */
  readonly again: readonly string[];
}

/**
 * Remembers a pull's progress. Must follow the commit of its entries: this transaction is strict, and flushes them to the disk too. Other tabs
 * may pull at the same time: no sequence goes back. Undefined: `clearCache()` has removed entries of this pull, and the next one begins anew.
 */
export function notePulled(
  database: Pick<Database, "run">,
  { id }: Pulled,
  { pattern, upTo, asked, again }: PullProgress,
): Promise<Pulled | undefined> {
  return database.run([META], "readwrite", async (transaction) => {
    const before = await inTransaction(transaction);
    if (before?.id !== id) return undefined;
    const all = pattern === "*" ? Math.max(upTo, pulledTo(before, "*")) : pulledTo(before, "*");
    const sequences = new Map([...before.sequences, [pattern, Math.max(upTo, pulledTo(before, pattern))]]);
    // Those that "*" has overtaken say nothing.
    for (const [of, sequence] of sequences) if (of !== "*" && sequence <= all) sequences.delete(of);
    const seen = new Set(asked);
    const left = before.again.filter((key) => !seen.has(key));
    const pulled: Pulled = { ...before, sequences, again: [...new Set([...left, ...again])] };
    transaction.objectStore(META).put(pulled, PULLED);
    return pulled;
  });
}

async function inTransaction(transaction: IDBTransaction): Promise<Pulled | undefined> {
  const found = (await promisifyRequest(transaction.objectStore(META).get(PULLED))) as Partial<Pulled> | undefined;
  const isSound =
    typeof found?.id === "string" &&
    typeof found.stream === "string" &&
    typeof found.created === "string" &&
    found.sequences instanceof Map &&
    [...found.sequences.values()].every(isCount) &&
    Array.isArray(found.again) &&
    found.again.every((key) => typeof key === "string");
  return isSound ? (found as Pulled) : undefined;
}
