import { checkVersion } from "../model/expected-version.ts";
import { isDamagedRow, LONG_AGO, type EntryRow, type StoredPayload, type Tombstone } from "../model/row.ts";
import type { RetrieveOrStoreOptions } from "../options/types.ts";
import type { NewRow } from "../storage/commit/draft.ts";
import { KeyStoreError } from "../util/errors.ts";

/** The facts that a commit has when it makes a row. */
export interface RowFacts {
  readonly version: number;
  readonly now: number;
  readonly lastUsed: number;
  /** In seconds, for a row whose ttl neither the options nor the present entry give. */
  readonly defaultTtl: number | null;
}

/** The options of `store`, `update` and `retrieveOrStore`. */
export type RowOptions = RetrieveOrStoreOptions & {
  /** An update writes a migrated value: the entry lives no longer than it would have, and is as stale. */
  readonly isMigration?: boolean;
  /** Whether the value is older than an invalidation of its key. Then it is not written. */
  readonly isOvertaken?: () => boolean;
};

/**
 * The row that a store or an update puts in the place of the present entry. An update keeps the format, ttl and tags that the
 * options do not give.
 * @throws KeyStoreError VERSION_CONFLICT
 * @throws FormatChanged when an update was encoded in another format than that of the present entry
 */
export function entryRow(
  key: string,
  stored: StoredPayload,
  options: RowOptions,
  present: EntryRow | undefined,
  isUpdate: boolean,
  { version, now, lastUsed, defaultTtl }: RowFacts,
): NewRow<EntryRow> {
  checkVersion(key, present, options.ifVersion);
  if (options.isOvertaken?.() === true) throw new KeyStoreError("VERSION_CONFLICT", "The key changed during the load.", { key });
  const sound = present !== undefined && !isDamagedRow(present) ? present : undefined;
  const kept = isUpdate ? sound : undefined;
  if (kept !== undefined && options.format === undefined && kept.format !== stored.format) throw new FormatChanged();
  const migrated = options.isMigration === true ? kept : undefined;
  const ttl = migrated !== undefined ? restOf(migrated, now) : options.ttl !== undefined ? options.ttl : (kept ?? { ttl: defaultTtl }).ttl;
  const tags = options.tags ?? kept?.tags ?? [];
  const keepMs = options.staleWhileRevalidate === undefined ? kept?.keepMs : options.staleWhileRevalidate * 1000;
  return {
    ...stored,
    version,
    createdAt: sound?.createdAt ?? now,
    updatedAt: now,
    ttl,
    // Left out, not undefined or empty: an index costs time for every row that is in it.
    ...(ttl === null ? undefined : { expiresAt: now + ttl * 1000, ...(keepMs === undefined ? undefined : { keepMs }) }),
    ...(tags.length === 0 ? undefined : { tags: [...tags] }),
    ...(migrated === undefined ? undefined : { madeOf: migrated.writeId }),
    lastUsed,
  };
}

/** The seconds until an entry expires. A `touch` may have come between the read and the write. */
function restOf({ expiresAt }: EntryRow, now: number): number | null {
  return expiresAt === undefined ? null : (expiresAt - now) / 1000;
}

/** @throws KeyStoreError VERSION_CONFLICT */
export function tombstone(
  key: string,
  ifVersion: number | undefined,
  present: EntryRow | undefined,
  version: number,
  now: number,
): NewRow<Tombstone> {
  checkVersion(key, present, ifVersion);
  return { deletedAt: now, version, expiresAt: LONG_AGO };
}

/** Another tab stored the key in another format after the format was read and before the commit. */
export class FormatChanged extends Error {}
