import type { ContractCase } from "../environment.ts";
import { bulkAndLists } from "./bulk-and-lists.ts";
import { formats } from "./formats.ts";
import { indexedDb } from "./indexeddb.ts";
import { operations } from "./operations.ts";
import { overwritingMany } from "./overwriting-many.ts";
import { overwritingOffline } from "./overwriting-offline.ts";
import { overwriting } from "./overwriting.ts";
import { ttlAndTags } from "./ttl-and-tags.ts";
import { upkeep } from "./upkeep.ts";

/** All cases, by subject. */
export const contract: Readonly<Record<string, readonly ContractCase[]>> = {
  operations,
  "bulk and lists": bulkAndLists,
  upkeep,
  formats,
  "ttl and tags": ttlAndTags,
  overwriting: [...overwriting, ...overwritingMany, ...overwritingOffline],
  IndexedDB: indexedDb,
};
