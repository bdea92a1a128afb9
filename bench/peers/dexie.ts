import { Dexie, type EntityTable } from "dexie";

type Table = EntityTable<Record<string, unknown>>;

/** A table whose keys are beside the values, as in a key-value store. */
export function openDexie(name: string): { table: Table; end(): Promise<void> } {
  const database = new Dexie(name) as Dexie & { values: Table };
  database.version(1).stores({ values: "" });
  return { table: database.values, end: () => database.delete() };
}
