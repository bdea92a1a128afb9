import type { Usage } from "../../model/change.ts";
import type { WriteId } from "../../model/metadata.ts";
import { liveEntry, type EntryRow, type Row } from "../../model/row.ts";
import { asError } from "../../util/as-error.ts";
import { batches } from "../../util/batches.ts";
import { seenRevision } from "../entries/revisions.ts";
import type { Durability } from "../idb/transaction.ts";
import type { OutboxRecord } from "../outbox/outbox-record.ts";
import type { Commit, Draft, NewRow } from "./draft.ts";
import { isDamaged, isNewer, lastVersion } from "./given-version.ts";

/** The state of a key in the transaction, while a group is planned. */
export interface Slot {
  row: NewRow<Row> | undefined;
  /** The row's write is not confirmed yet. */
  unconfirmed: boolean;
  /** Another engine may be publishing the row's write, or the relay may: a newer one must be queued. */
  mustWait: boolean;
  /** The write in flight that a newer, queued one must wait for. */
  waitsFor: WriteId | undefined;
  /** Durable mode: the newest revision of the key that is known. Read only for drafts that have a revision. */
  revision?: number;
  /** The revision of the row, if it was written in this browser. */
  ownRevision?: number | undefined;
}

export interface PlanContext {
  readonly instanceId: string;
  readonly generation: string;
  /** False: every write has to wait in the outbox. */
  readonly mayPublish: boolean;
  readonly durability: Durability;
  /** The version floor of the database: see version-floor.ts. */
  readonly floor: number;
  /** Durable mode: up to which revision this browser has pulled all keys. Undefined: durable mode is off. */
  readonly pulledTo: number | undefined;
  /** Returns a new sequence number for a write of this engine. */
  nextSequence(): number;
}

/** The commits of a call, without drafts whose given version is not newer, or the error that refuses all of it. */
export type CallResult = readonly Commit[] | Error;

/** How a group's transaction must be committed: a write that is queued, and so resolves `false`, must be on the disk. */
export function durabilityOf(drafts: readonly Draft[], mayPublish: boolean): Durability {
  const isStrict = drafts.some(({ policy }) => policy.durability === "strict" || (policy.isPublished && !mayPublish));
  return isStrict ? "strict" : "relaxed";
}

/** Decides the rows, versions, states and ids of a group's writes. Changes the slots as the transaction will change the keys. */
export function planGroup(calls: readonly (readonly Draft[])[], slots: Map<string, Slot>, now: number, context: PlanContext): CallResult[] {
  const plans = calls.map((drafts) => planCall(drafts, slots, now, context));
  const planned = plans.flatMap((plan) => (plan instanceof Error ? [] : plan));
  const commits = assignIds(planned, context);
  let at = 0;
  return plans.map((plan) => (plan instanceof Error ? plan : commits.slice(at, (at += plan.length))));
}

export function commitsOf(results: readonly CallResult[]): Commit[] {
  return results.flatMap((result) => (result instanceof Error ? [] : result));
}

/** The relay and the settlements read and write an outbox record as a whole. Only an atomic call has more writes. */
export const MAX_RECORD_WRITES = 512;

/** The outbox records of a group: for each state one or more, if there are writes in it. */
export function recordsOf(commits: readonly Commit[]): OutboxRecord[] {
  return (["sending", "queued"] as const).flatMap((state) => {
    const writes = commits
      .filter((commit) => commit.state === state)
      .map(({ draft, row, waitsFor }) => ({
        sequence: row.writeId[1],
        key: draft.key,
        version: row.version,
        operation: draft.operation,
        ...(waitsFor === undefined ? undefined : { waitsFor }),
      }));
    return batches(writes, MAX_RECORD_WRITES).map((part) => ({ state, writes: part, attempts: 0 }));
  });
}

/** A commit before its write has an id. */
interface Planned extends Pick<Commit, "draft" | "replaced" | "state" | "waitsFor" | "grew" | "overruled"> {
  readonly row: NewRow<Row>;
}

const EMPTY_SLOT: Slot = { row: undefined, unconfirmed: false, mustWait: false, waitsFor: undefined };

/** A draft without a row is left out. Leaves the slots unchanged when a draft refuses. */
function planCall(drafts: readonly Draft[], slots: Map<string, Slot>, now: number, context: PlanContext): readonly Planned[] | Error {
  const before = new Map<string, Slot>();
  try {
    return drafts.flatMap((draft) => {
      const slot = slots.get(draft.key) ?? EMPTY_SLOT;
      if (!before.has(draft.key)) before.set(draft.key, slot);
      const replaced = liveEntry(slot.row as Row | undefined, now);
      const row = planRow(draft, slot, replaced, now, context);
      if (row === undefined) return [];
      const state = stateOf(draft, slot, context.mayPublish);
      const { revision = slot.revision ?? 0 } = draft.policy;
      slots.set(draft.key, { ...slot, row, unconfirmed: state !== undefined, revision, ownRevision: undefined });
      const waitsFor = state === "queued" ? slot.waitsFor : undefined;
      const overruled = overrules(draft, slot, replaced) ? { ...(replaced as EntryRow), revision: slot.ownRevision as number } : undefined;
      return [{ draft, row, replaced, state, waitsFor, grew: growth(slot.row, row), overruled }];
    });
  } catch (error) {
    for (const [key, slot] of before) slots.set(key, slot);
    return asError(error);
  }
}

/** The row that a draft writes; undefined: the slot has a newer one. */
function planRow(
  { policy: { version, revision }, next }: Draft,
  slot: Slot,
  replaced: EntryRow | undefined,
  now: number,
  { floor, pulledTo }: PlanContext,
): NewRow<Row> | undefined {
  const { revision: known = 0, row: present } = slot;
  if (revision !== undefined && (slot.unconfirmed || revision < known)) return undefined;
  // An entry that was removed here alone, as an eviction does, may come back.
  const isPresent = revision === known && present !== undefined;
  const last = lastVersion(slot, floor);
  if (version === "next") {
    const row = isPresent ? undefined : next(replaced, last + 1, now);
    return row === undefined || revision !== undefined || pulledTo === undefined
      ? row
      : { ...row, base: seenRevision(slot.row) ?? pulledTo };
  }
  const row = next(replaced, version, now) as NewRow<EntryRow> | undefined;
  if (row === undefined || (isPresent && !isDamaged(present, row))) return undefined;
  if (revision === undefined && !isNewer(row, slot, now)) return undefined;
  return last > version ? { ...row, floor: last } : row;
}

/** Whether a pulled message was written by somebody who had not seen the row of this browser that it replaces. */
function overrules({ policy, writer }: Draft, { ownRevision }: Slot, replaced: EntryRow | undefined): boolean {
  if (policy.revision === undefined || writer !== undefined || ownRevision === undefined || replaced === undefined) return false;
  if (policy.revision === ownRevision) return false;
  if (policy.base !== undefined) return policy.base < ownRevision;
  return policy.version !== "next" && policy.version <= replaced.version;
}

function stateOf({ policy }: Draft, slot: Slot, mayPublish: boolean): Commit["state"] {
  // The message of an unconfirmed write is made from its row: the row that replaces it must be published instead.
  if (!policy.isPublished && !(policy.version === "next" && slot.unconfirmed)) return undefined;
  return mayPublish && !slot.mustWait ? "sending" : "queued";
}

function growth(from: NewRow<Row> | undefined, to: NewRow<Row>): Usage {
  const [before, after] = [from, to].map((row) => (row !== undefined && "size" in row ? row.size : undefined));
  return { entries: Number(after !== undefined) - Number(before !== undefined), bytes: (after ?? 0) - (before ?? 0) };
}

/** Must draw the sequence numbers of an outbox record together, so that no other record has one between them. */
function assignIds(planned: readonly Planned[], { instanceId, generation, durability, nextSequence }: PlanContext): Commit[] {
  const sequences = new Map<Planned, number>();
  for (const state of ["sending", "queued", undefined] as const) {
    for (const plan of planned) if (plan.state === state) sequences.set(plan, nextSequence());
  }
  return planned.map((plan) => ({
    ...plan,
    row: { ...plan.row, key: plan.draft.key, writeId: [instanceId, sequences.get(plan) ?? 0] } as Row,
    durability,
    generation,
  }));
}
