import type { WriteId } from "../../model/metadata.ts";
import { isTombstone, type EntryRow, type Row } from "../../model/row.ts";
import { find } from "../entries/find.ts";
import { hasNoRevisions, isOwn, lastRevision, noteRevision, readRevision } from "../entries/revisions.ts";
import { raiseFloor, readFloor } from "../entries/version-floor.ts";
import { addRows, replaceRows } from "../entries/write.ts";
import { addToOutbox, isRowOf, recordedWrites, removeFromOutbox, type RecordedWrite } from "../outbox/outbox-table.ts";
import type { Commit, Draft } from "./draft.ts";
import { commitsOf, planGroup, recordsOf, type CallResult, type PlanContext, type Slot } from "./plan.ts";

export interface GroupContext extends Omit<PlanContext, "floor"> {
  /** The version floor after an earlier transaction; undefined: not known. Another tab may have raised it since. */
  readonly lastFloor: number | undefined;
  /** The keys of the group are probably new: their rows are added without reading first. */
  readonly addWithoutReading: boolean;
  /** The page may not live to receive the results of many requests, one after another. */
  readonly isPageEnding: boolean;
  now(): number;
  statesOf(ids: readonly WriteId[]): Promise<readonly (RecordedWrite | undefined)[]>;
  /** Called after the keys were read. `allNew`: none of them had a row. */
  onRead(allNew: boolean): unknown;
  /** Called when the first requests of the transaction are made. */
  onRequested(): void;
}

export interface GroupResult {
  /** For each call its commits, or the error that refuses it. */
  readonly results: readonly CallResult[];
  /** Writes that newer ones have removed from the outbox. */
  readonly superseded: readonly WriteId[];
  readonly floor: number;
}

/** The version floor has changed since it was last read: the versions of the added rows are wrong. */
export class FloorChanged extends Error {}

/**
 * Writes a group of calls in an open transaction, each call's drafts together or not at all. Must read everything, plan without
 * waiting, and only then write. Rows of keys that seem new are added without reading: an `add` that finds a row fails, and the
 * whole transaction with it, in every engine, as long as nobody calls `commit()` before. Their versions are above the last known floor,
 * which is read after them.
 * @throws ConstraintError, as the transaction's error, when a key that seemed new exists
 * @throws FloorChanged when `lastFloor` is not the floor of the database
 */
export async function writeGroup(
  transaction: IDBTransaction,
  calls: readonly (readonly Draft[])[],
  context: GroupContext,
): Promise<GroupResult> {
  const { instanceId, lastFloor } = context;
  const drafts = calls.flat();
  if (context.addWithoutReading && !drafts.some(removes)) {
    const floor = lastFloor ?? (await readFloor(transaction));
    const results = planGroup(calls, await revisionSlots(transaction, keysOfStream(drafts)), context.now(), { ...context, floor });
    // A draft may refuse, or have no row, only because its entry was not read.
    if (results.every((result, call) => !(result instanceof Error) && result.length === calls[call]?.length)) {
      const commits = commitsOf(results);
      addRows(transaction, newestRows(commits) as ReadonlyMap<string, Row>);
      noteRevisions(transaction, commits);
      for (const record of recordsOf(commits)) addToOutbox(transaction, instanceId, record);
      const readingFloor = readFloor(transaction);
      context.onRequested();
      // Must be the last request: its result shows that every `add` has succeeded, so that the caller may call `commit()`.
      if ((await readingFloor) !== floor) throw new FloorChanged();
      return { results, superseded: [], floor };
    }
  }

  // Settlements alone need no version.
  const readingFloor = calls.length === 0 && lastFloor !== undefined ? lastFloor : readFloor(transaction);
  const reading = readSlots(transaction, drafts, context);
  context.onRequested();
  const [{ slots, removable, found }, floor] = await Promise.all([reading, readingFloor]);
  context.onRead(found.rows.size === 0);

  const results = planGroup(calls, slots, context.now(), { ...context, floor });
  const commits = commitsOf(results);
  const rows = newestRows(commits);
  const replacing = replaceRows(transaction, found, rows);
  noteRevisions(transaction, commits);
  for (const record of recordsOf(commits)) addToOutbox(transaction, instanceId, record);
  await replacing;
  // The versions of rows that imported ones replace are removed.
  const removed = ({ draft, row }: Commit): number => (removes(draft) ? row.version : ((row as EntryRow).floor ?? 0));
  const raised = commits.reduce((greatest, commit) => Math.max(greatest, removed(commit)), floor);
  if (raised > floor) await raiseFloor(transaction, raised);
  const superseded = [...removable].flatMap(([key, id]) => (rows.has(key) ? [id] : []));
  await removeFromOutbox(transaction, superseded);
  return { results, superseded, floor: raised };
}

/**
 * Whether a group whose transaction was reported as lost is in the database. One of its outbox records or rows proves it; only
 * rows are left once another tab has published the group.
 */
export async function areCommitted(transaction: IDBTransaction, commits: readonly Commit[]): Promise<boolean> {
  const recorded = await recordedWrites(
    transaction,
    commits.map(({ row }) => row.writeId),
  );
  if (commits.some(({ row }) => recorded(row.writeId) !== undefined)) return true;
  const { rows } = await find(transaction, newestRows(commits).keys());
  return commits.some(({ draft, row }) => isRowOf(rows.get(draft.key), row.writeId));
}

/** Key → its row; undefined: it is removed. */
function newestRows(commits: readonly Commit[]): Map<string, Row | undefined> {
  return new Map(commits.map(({ draft, row }) => [draft.key, removes(draft) ? undefined : row]));
}

/** Whether the stream has a delete. Others leave a tombstone until they are confirmed. */
function removes({ operation, policy }: Draft): boolean {
  return operation === "delete" && policy.revision !== undefined;
}

/** Own writes that were published first, and deletes. A pulled row has its revision itself. */
function noteRevisions(transaction: IDBTransaction, commits: readonly Commit[]): void {
  for (const { draft, row } of commits) {
    const { revision } = draft.policy;
    if (revision === undefined) continue;
    if (isTombstone(row)) noteRevision(transaction, draft.key, revision, undefined);
    else if (draft.writer !== undefined) noteRevision(transaction, draft.key, revision, row.writeId);
  }
}

function keysOfStream(drafts: readonly Draft[]): Set<string> {
  return new Set(drafts.flatMap(({ key, policy }) => (policy.revision === undefined ? [] : [key])));
}

/** Slots of keys without a row that have a revision: of a delete that was pulled, or of an entry that was removed here. */
async function revisionSlots(transaction: IDBTransaction, keys: ReadonlySet<string>): Promise<Map<string, Slot>> {
  if (keys.size === 0 || (await hasNoRevisions(transaction))) return new Map();
  const slots = Array.from(keys, async (key) => {
    const revision = lastRevision(undefined, await readRevision(transaction, key));
    return [key, { row: undefined, unconfirmed: false, mustWait: false, waitsFor: undefined, revision }] as const;
  });
  return new Map(await Promise.all(slots));
}

async function readSlots(transaction: IDBTransaction, drafts: readonly Draft[], { instanceId, statesOf, isPageEnding }: GroupContext) {
  const keys = new Set(drafts.map(({ key }) => key));
  const ofStream = keysOfStream(drafts);
  const slots = new Map<string, Slot>();
  /** By their keys, writes that leave the outbox when a newer one is written: their messages are made from the row. */
  const removable = new Map<string, WriteId>();
  const found = await find(transaction, keys, isPageEnding);
  const readingRevisions = Promise.all(Array.from(ofStream, async (key) => [key, await readRevision(transaction, key)] as const));
  const states = await statesOf(Array.from(found.rows.values(), ({ writeId }) => writeId));
  // A confirmed write whose settlement is not written yet has no revision.
  const compared = Array.from(ofStream, (key) => found.rows.get(key)?.writeId).filter((id) => id !== undefined);
  const unsettled = await recordedWrites(transaction, compared);
  const revisions = new Map(await readingRevisions);
  for (const [key, known] of revisions) {
    const empty = { row: undefined, unconfirmed: false, mustWait: false, waitsFor: undefined };
    if (!found.rows.has(key)) slots.set(key, { ...empty, revision: lastRevision(undefined, known) });
  }
  [...found.rows].forEach(([key, row], index) => {
    const { state, waitsFor } = states[index] ?? {};
    const isForeign = row.writeId[0] !== instanceId;
    const known = revisions.get(key);
    slots.set(key, {
      row,
      revision: lastRevision(row, known),
      ownRevision: isOwn(row, known) ? known.revision : undefined,
      unconfirmed: state !== undefined || (ofStream.has(key) && unsettled(row.writeId) !== undefined),
      mustWait: state === "queued" || (state === "sending" && isForeign),
      waitsFor: state === "sending" ? row.writeId : state === "queued" ? waitsFor : undefined,
    });
    if (state === "queued" || state === "rejected") removable.set(key, row.writeId);
  });
  return { slots, removable, found };
}
