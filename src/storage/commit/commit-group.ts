import type { Payload, WriteId } from "../../model/metadata.ts";
import { liveEntry, type EntryRow, type Row } from "../../model/row.ts";
import { asError } from "../../util/errors.ts";
import type { Usage } from "../entries/entry-index.ts";
import { find, type Found } from "../entries/entry-table.ts";
import { addRows, replaceRows } from "../entries/entry-writes.ts";
import {
  addToOutbox,
  predecessorOf,
  isOf,
  outboxState,
  removeFromOutbox,
  type OutboxWrite,
  type WriteState,
} from "../outbox/outbox-table.ts";

/** A row before its write has an id. */
export type NewRow<R> = R extends Row ? Omit<R, "key" | "writeId"> : never;

/** A write to be committed. What depends on the entry it replaces is decided inside the transaction. */
export interface Draft {
  readonly key: string;
  readonly operation: OutboxWrite["operation"];
  /** Bytes that the write puts into the database, about. */
  readonly weight: number;
  /** What is stored, whole and uncompressed, as the memory front keeps it; undefined for a delete. */
  readonly payload?: Payload;
  /**
   * The row that takes the place of `current`.
   * @throws KeyStoreError to refuse the write, and all that are to be committed with it
   */
  next(current: EntryRow | undefined, version: number, now: number): NewRow<Row>;
}

/** A write that has been committed. */
export interface Commit {
  readonly draft: Draft;
  readonly row: Row;
  /** The entry that was there before. */
  readonly replaced: EntryRow | undefined;
  /** Whether this store publishes it now, or whoever drains the outbox does. */
  readonly state: "sending" | "queued";
  /** The generation of the database that holds it. */
  readonly generation: string;
  /** Of a queued one: the write of its key that must arrive first. */
  readonly waitsFor: WriteId | undefined;
  /** By how much the entries grew. */
  readonly grew: Usage;
}

/** What the rest of the group needs to know of this store. */
export interface GroupContext {
  readonly instanceId: string;
  readonly generation: string;
  /** Whether writes can be published at once, or have to wait in the outbox. */
  readonly mayPublish: boolean;
  stateOf(id: WriteId): Promise<WriteState | undefined>;
  /** All keys of the group are probably new: their rows are added without a look at the table. */
  readonly addWithoutLook: boolean;
  /** Called after a look at the table. `allNew`: it held none of the group's keys. */
  onLooked(allNew: boolean): void;
  drawNumber(): number;
  /** Told of a write that leaves the outbox, since a newer one takes its place. */
  onOvertaken(id: WriteId): void;
  /** Called when the database has been given as much to do as is possible at first. */
  onAsked(): void;
}

/** A key as the transaction leaves it. */
interface Slot {
  row: NewRow<Row> | undefined;
  /** The row's write waits for its confirmation. */
  unconfirmed: boolean;
  /** Somebody else may be publishing the row's write at this moment, so that a newer one has to wait its turn. */
  mustWait: boolean;
  /** The write that is being sent, which a newer one that is queued must not overtake on the way. */
  waitsFor: WriteId | undefined;
}

/** A commit before its write has an id. */
interface Planned extends Omit<Commit, "row" | "generation"> {
  readonly row: NewRow<Row>;
}

/**
 * Puts a group of calls into one transaction, each call's drafts together or not at all.
 * Must read everything, decide without waiting, and only then write. Rows of keys that seem new are added without a look: an
 * `add` that finds a row fails, and the whole transaction with it, in every engine, as long as nobody calls `commit()`.
 * @returns for each call its commits, or why it was refused
 * @throws ConstraintError, as the transaction's error, when a key that seemed new exists
 */
export async function writeGroup(
  transaction: IDBTransaction,
  calls: readonly (readonly Draft[])[],
  context: GroupContext,
): Promise<(readonly Commit[] | Error)[]> {
  const keys = new Set(calls.flatMap((drafts) => drafts.map(({ key }) => key)));
  if (context.addWithoutLook) {
    const planned = plan(calls, new Map(), context);
    if (planned.every((call) => !(call instanceof Error))) {
      const results = write(transaction, planned, (rows) => addRows(transaction, rows), context);
      context.onAsked();
      return results;
    }
  }

  const reading = readSlots(transaction, keys, context);
  context.onAsked();
  const { slots, overtaken, found } = await reading;
  context.onLooked(found.rows.size === 0);

  let replacing: Promise<void> | undefined;
  const results = write(
    transaction,
    plan(calls, slots, context),
    (rows) => {
      replacing = replaceRows(transaction, found, rows);
    },
    context,
  );
  await replacing;
  // What a newer version overtakes can no longer be sent: its message is made of the row.
  const changed = new Set(results.flatMap((result) => (result instanceof Error ? [] : result.map(({ draft }) => draft.key))));
  for (const [key, id] of overtaken) {
    if (!changed.has(key)) continue;
    await removeFromOutbox(transaction, id);
    context.onOvertaken(id);
  }
  return results;
}

/** Whether a transaction failed because a key that seemed new exists. */
export function wasNotNew(error: unknown): boolean {
  return error instanceof Error && error.name === "ConstraintError";
}

/**
 * Whether what a group has written is in the database. Any of it proves all of it: a record in the outbox, or a row, where
 * another tab has published it since.
 */
export async function areCommitted(transaction: IDBTransaction, commits: readonly Commit[]): Promise<boolean> {
  const states = await Promise.all(commits.map(({ row }) => outboxState(transaction, row.writeId)));
  if (states.some((state) => state !== undefined)) return true;
  const { rows } = await find(
    transaction,
    commits.map(({ draft }) => draft.key),
  );
  return commits.some(({ draft, row }) => isOf(rows.get(draft.key), ...row.writeId));
}

/** What a group of calls comes to, for each its writes or why it is refused. */
function plan(
  calls: readonly (readonly Draft[])[],
  slots: Map<string, Slot>,
  { mayPublish }: GroupContext,
): (readonly Planned[] | Error)[] {
  const now = Date.now();
  return calls.map((drafts) => planCall(drafts, slots, mayPublish, now));
}

/** @param put puts the newest row of each key into the table */
function write(
  transaction: IDBTransaction,
  plans: readonly (readonly Planned[] | Error)[],
  put: (rows: ReadonlyMap<string, Row>) => void,
  context: GroupContext,
): (readonly Commit[] | Error)[] {
  const commits = assignIds(
    plans.flatMap((planned) => (planned instanceof Error ? [] : planned)),
    context,
  );
  put(new Map(commits.map(({ draft, row }) => [draft.key, row])));
  putOutboxRecords(transaction, commits, context.instanceId);
  let at = 0;
  return plans.map((planned) => (planned instanceof Error ? planned : commits.slice(at, (at += planned.length))));
}

async function readSlots(
  transaction: IDBTransaction,
  keys: ReadonlySet<string>,
  { instanceId, stateOf }: GroupContext,
): Promise<{ slots: Map<string, Slot>; overtaken: Map<string, WriteId>; found: Found }> {
  const slots = new Map<string, Slot>();
  const overtaken = new Map<string, WriteId>();
  const found = await find(transaction, keys);
  await Promise.all(
    Array.from(found.rows, async ([key, row]) => {
      const state = await stateOf(row.writeId);
      const foreign = row.writeId[0] !== instanceId;
      slots.set(key, {
        row,
        unconfirmed: state !== undefined,
        mustWait: state === "queued" || (state === "sending" && foreign),
        waitsFor: state === "sending" ? row.writeId : state === "queued" ? await predecessorOf(transaction, row.writeId) : undefined,
      });
      // A delete that is confirmed may still be in the outbox: its higher version must not outlive a key stored anew.
      const isLeft = state === "queued" || state === "rejected" || (state === undefined && liveEntry(row, Date.now()) === undefined);
      if (isLeft) overtaken.set(key, row.writeId);
    }),
  );
  return { slots, overtaken, found };
}

/** Decides a call's rows, and leaves the slots as they are when one of its drafts refuses. */
function planCall(drafts: readonly Draft[], slots: Map<string, Slot>, mayPublish: boolean, now: number): readonly Planned[] | Error {
  const before = new Map<string, Slot>();
  try {
    return drafts.map((draft) => {
      const { key, operation } = draft;
      const slot = slots.get(key) ?? { row: undefined, unconfirmed: false, mustWait: false, waitsFor: undefined };
      if (!before.has(key)) before.set(key, slot);

      const replaced = liveEntry(slot.row as Row | undefined, now);
      const goesOn = replaced !== undefined || slot.unconfirmed || operation === "delete";
      const version = goesOn ? (slot.row?.version ?? 0) + 1 : 1;
      const row = draft.next(replaced, version, now);
      slots.set(key, { ...slot, row, unconfirmed: true });
      const state = mayPublish && !slot.mustWait ? "sending" : "queued";
      return { draft, row, replaced, state, waitsFor: slot.waitsFor, grew: growth(slot.row, row) };
    });
  } catch (error) {
    for (const [key, slot] of before) slots.set(key, slot);
    return asError(error);
  }
}

function growth(from: NewRow<Row> | undefined, to: NewRow<Row>): Usage {
  const [before, after] = [from, to].map((row) => (row !== undefined && "size" in row ? row.size : undefined));
  return {
    entries: Number(after !== undefined) - Number(before !== undefined),
    bytes: (after ?? 0) - (before ?? 0),
  };
}

/** Gives each write its id. An outbox record's numbers must be drawn together, so that no other record's lie between. */
function assignIds(planned: readonly Planned[], { instanceId, generation, drawNumber }: GroupContext): Commit[] {
  const numbers = new Map<Planned, number>();
  for (const state of ["sending", "queued"] as const) {
    for (const plan of planned) if (plan.state === state) numbers.set(plan, drawNumber());
  }
  return planned.map((plan) => ({
    draft: plan.draft,
    row: { ...plan.row, key: plan.draft.key, writeId: [instanceId, numbers.get(plan) ?? 0] } as Row,
    replaced: plan.replaced,
    state: plan.state,
    waitsFor: plan.state === "queued" ? plan.waitsFor : undefined,
    grew: plan.grew,
    generation,
  }));
}

function putOutboxRecords(transaction: IDBTransaction, commits: readonly Commit[], instanceId: string): void {
  for (const state of ["sending", "queued"] as const) {
    const writes = commits
      .filter((commit) => commit.state === state)
      .map(({ draft, row, waitsFor }) => ({
        sequence: row.writeId[1],
        key: draft.key,
        version: row.version,
        operation: draft.operation,
        ...(waitsFor === undefined ? undefined : { waitsFor }),
      }));
    if (writes.length > 0) addToOutbox(transaction, instanceId, { state, writes, attempts: 0 });
  }
}
