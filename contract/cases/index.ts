import type { ContractCase } from "../environment.ts";
import { bulkAtomic } from "./bulk-atomic.ts";
import { bulkAndLists } from "./bulk-and-lists.ts";
import { bulkDelete } from "./bulk-delete.ts";
import { closed } from "./closed.ts";
import { conflicts } from "./conflicts.ts";
import { damage } from "./damage.ts";
import { durable } from "./durable.ts";
import { encryption } from "./encryption.ts";
import { events } from "./events.ts";
import { ensureStream } from "./ensure-stream.ts";
import { entries } from "./entries.ts";
import { exportImport } from "./export-import.ts";
import { formats } from "./formats.ts";
import { importMerging } from "./import-merging.ts";
import { ifRevision } from "./if-revision.ts";
import { indexedDb } from "./indexeddb.ts";
import { limits } from "./limits.ts";
import { loadOnce } from "./load-once.ts";
import { onePage } from "./one-page.ts";
import { operations } from "./operations.ts";
import { options } from "./options.ts";
import { orderOfErrors } from "./order-of-errors.ts";
import { outage } from "./outage.ts";
import { overwritingMany } from "./overwriting-many.ts";
import { overwritingOffline } from "./overwriting-offline.ts";
import { overwriting } from "./overwriting.ts";
import { pull } from "./pull.ts";
import { peek } from "./peek.ts";
import { readYourWrites } from "./read-your-writes.ts";
import { pullEvery } from "./pull-every.ts";
import { rejections } from "./rejections.ts";
import { retrievePull } from "./retrieve-pull.ts";
import { schemas } from "./schemas.ts";
import { streamAtomic } from "./stream-atomic.ts";
import { streams } from "./streams.ts";
import { servers } from "./servers.ts";
import { tabs } from "./tabs.ts";
import { deletesByTag, invalidation } from "./tags.ts";
import { touching } from "./touch.ts";
import { ttlAndTags } from "./ttl-and-tags.ts";
import { updateFunction } from "./update-function.ts";
import { upkeep } from "./upkeep.ts";
import { valueChanges } from "./value-changes.ts";
import { valueGrid } from "./value-grid.ts";
import { versions } from "./versions.ts";
import { watch } from "./watch.ts";

/** All cases, by subject. */
export const contract: Readonly<Record<string, readonly ContractCase[]>> = {
  operations,
  "bulk and lists": bulkAndLists,
  "atomic bulk": bulkAtomic,
  "bulk delete": bulkDelete,
  "update with a function": updateFunction,
  entries,
  "read your writes": readYourWrites,
  upkeep,
  options,
  "order of errors": orderOfErrors,
  formats: [...formats, ...valueGrid, ...valueChanges],
  "ttl and tags": [...ttlAndTags, ...touching, ...deletesByTag, ...invalidation],
  limits,
  "load once": loadOnce,
  overwriting: [...overwriting, ...overwritingMany, ...overwritingOffline],
  versions,
  outage,
  servers,
  rejections,
  events,
  watch,
  peek,
  schemas,
  tabs,
  streams,
  "ensure stream": ensureStream,
  pull,
  durable,
  conflicts,
  "if revision": ifRevision,
  "atomic on the stream": streamAtomic,
  "pull at an interval": pullEvery,
  "retrieve with pull": retrievePull,
  encryption,
  "one page": onePage,
  damage,
  closed,
  "export and import": [...exportImport, ...importMerging],
  IndexedDB: indexedDb,
};
