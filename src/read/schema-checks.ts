import { KeyFormat, type Payload } from "../model/metadata.ts";
import type { SchemaResult, StandardSchema } from "../model/standard-schema.ts";
import { decode, type Decoded } from "../values/formats.ts";
import { accepted, Schemas, validate, type KeySchema } from "../values/schemas.ts";
import type { CachedEntry } from "./memory-cache.ts";
import { Migrations, type MigrationsPorts } from "./migrations.ts";

export interface SchemaChecksPorts extends Omit<MigrationsPorts, "migrate"> {
  readonly schemas: Readonly<Record<string, StandardSchema>>;
  readonly migrate: MigrationsPorts["migrate"] | undefined;
}

/** Checks what a store writes and reads against the option `schemas`. */
export class SchemaChecks {
  readonly #schemas: Schemas;
  readonly #migrations: Migrations | undefined;
  /** Entries in memory whose values the schema returns unchanged: a hit need not ask it again. */
  readonly #unchanged = new WeakSet<CachedEntry>();

  constructor({ schemas, migrate, ...ports }: SchemaChecksPorts) {
    this.#schemas = new Schemas(schemas);
    this.#migrations = migrate && new Migrations({ ...ports, migrate });
  }

  /** The payload to store. @throws KeyStoreError SCHEMA_MISMATCH, INVALID_VALUE */
  fit(key: string, payload: Payload, format: KeyFormat): Promise<Payload> {
    return this.#schemas.fit(key, payload, format);
  }

  /**
   * The value to return for a stored one; undefined if the entry turns out to be absent. A promise if the schema is asynchronous, or for a
   * migration.
   * @throws KeyStoreError SCHEMA_MISMATCH
   */
  check(key: string, entry: CachedEntry, decoded: Decoded): Decoded | Promise<Decoded | undefined> {
    if (this.#unchanged.has(entry)) return decoded;
    const schema = this.#schemas.of(key);
    if (schema === undefined) {
      this.#unchanged.add(entry);
      return decoded;
    }
    const result = validate(key, schema, decoded.value);
    return result instanceof Promise
      ? result.then((settled) => this.#valueOf(key, entry, schema, settled))
      : this.#valueOf(key, entry, schema, result);
  }

  /** Waits for migrated values that are being written back. */
  async end(): Promise<void> {
    await this.#migrations?.end();
  }

  #valueOf(key: string, entry: CachedEntry, schema: KeySchema, result: SchemaResult): Decoded | Promise<Decoded | undefined> {
    if (result.issues !== undefined && this.#migrations !== undefined) return this.#migrations.migrated(key, entry.version, schema);
    const fitting = accepted(key, schema, result, "Store a value that fits, or give the store the option migrate.");
    // A value of JSON is a tree. It is decoded once more, since a schema may have changed the value that it was given.
    if (entry.format === KeyFormat.JSON && isSame((decode(key, entry.payload, entry.format) as Decoded).value, fitting.value)) {
      this.#unchanged.add(entry);
    }
    return fitting;
  }
}

/** Whether a value equals a tree of JSON. Deeper ones than a stack may hold are never the same. */
function isSame(tree: unknown, value: unknown, depth = 0): boolean {
  if (Object.is(tree, value)) return true;
  if (typeof tree !== "object" || tree === null || typeof value !== "object" || value === null || depth > 100) return false;
  if (Object.getPrototypeOf(tree) !== Object.getPrototypeOf(value)) return false;
  const names = Reflect.ownKeys(tree);
  return (
    names.length === Reflect.ownKeys(value).length &&
    names.every((name) => Object.hasOwn(value, name) && isSame(Reflect.get(tree, name), Reflect.get(value, name), depth + 1))
  );
}
