import type { KeyFormat, KeyMetadata, Payload } from "../model/metadata.ts";
import { KeyStoreError, messageOf } from "../util/errors.ts";
import { encode } from "../values/encode.ts";
import { decode, type Decoded } from "../values/formats.ts";
import { accepted, readBack, validate, type KeySchema } from "../values/schemas.ts";

export interface MigrationsPorts {
  readonly migrate: (value: unknown, metadata: KeyMetadata) => unknown;
  /** Past memory. Must not wait for writes: the update of a key may be what reads it. */
  readonly readEntry: (key: string) => Promise<StoredEntry | undefined>;
  /** Stores the payload with the tags, the expiry and the staleness of the entry, if it still has this version. */
  readonly writeBack: (key: string, payload: Payload, options: { format: KeyFormat; ifVersion: number }) => Promise<unknown>;
}

/** An entry as the database has it. */
export interface StoredEntry {
  readonly payload: Payload;
  readonly metadata: KeyMetadata;
}

interface Migrated extends StoredEntry {
  /** The payload is not the stored one. */
  readonly isNew: boolean;
}

/** Migrates values that no longer fit their schema. Each is written back once, off the path of the read. */
export class Migrations {
  readonly #ports: MigrationsPorts;
  /** Version and key → the migration under way, until its write-back has ended. */
  readonly #underWay = new Map<string, Promise<Migrated | undefined>>();
  readonly #writes = new Set<Promise<void>>();
  #isEnding = false;
  /** Version and key of entries that could not be written back. They are migrated at each read, but not written again. */
  readonly #unwritable = new Set<string>();

  constructor(ports: MigrationsPorts) {
    this.#ports = ports;
  }

  /**
   * The value of an entry, as its schema returns it; undefined if the entry turns out to be absent.
   * @param version of the value that did not fit
   * @throws KeyStoreError SCHEMA_MISMATCH
   */
  async migrated(key: string, version: number, schema: KeySchema): Promise<Decoded | undefined> {
    const entry = await (this.#underWay.get(idOf(key, version)) ?? this.#start(key, version, schema));
    return entry && readBack(key, schema, entry.payload, entry.metadata.format);
  }

  /** Waits for the values that are being written back. A migration that no read waits for any more may never end: it writes nothing. */
  async end(): Promise<void> {
    this.#isEnding = true;
    await Promise.all(this.#writes);
  }

  #start(key: string, version: number, schema: KeySchema): Promise<Migrated | undefined> {
    const id = idOf(key, version);
    const migrated = this.#migrate(key, schema);
    this.#underWay.set(id, migrated);
    void migrated
      .then((entry) => (entry?.isNew === true ? this.#writeBack(key, entry) : undefined))
      // The reads that wait report why a migration failed.
      .catch(() => undefined)
      .finally(() => this.#underWay.delete(id));
    return migrated;
  }

  /** Reads the entry again: another tab may have written it meanwhile, and the value and the metadata must be of one version. */
  async #migrate(key: string, schema: KeySchema): Promise<Migrated | undefined> {
    const stored = await this.#ports.readEntry(key);
    if (stored === undefined) return undefined;
    const { payload, metadata } = stored;
    // A schema may change the value that it is given.
    const value = async (): Promise<unknown> => (await decode(key, payload, metadata.format)).value;
    const { issues } = await validate(key, schema, await value());
    if (issues === undefined) return { ...stored, isNew: false };
    try {
      const next = await this.#ports.migrate(await value(), metadata);
      const fitting = accepted(key, schema, await validate(key, schema, next), "Correct what migrate returns.");
      return { payload: await encode(key, fitting.value, metadata.format), metadata, isNew: true };
    } catch (cause) {
      if (cause instanceof KeyStoreError && cause.code === "SCHEMA_MISMATCH") throw cause;
      const message = `The value does not fit the schema "${schema.pattern}", and migrate failed (${messageOf(cause)}). Correct migrate.`;
      throw new KeyStoreError("SCHEMA_MISMATCH", message, { key, issues, cause });
    }
  }

  async #writeBack(key: string, { payload, metadata }: Migrated): Promise<void> {
    const { format, version, stale } = metadata;
    const id = idOf(key, version);
    // A stale value is loaded again.
    if (this.#isEnding || stale || this.#unwritable.has(id)) return;
    const write = this.#ports.writeBack(key, payload, { format, ifVersion: version }).then(
      () => undefined,
      () => void this.#unwritable.add(id),
    );
    this.#writes.add(write);
    await write;
    this.#writes.delete(write);
  }
}

function idOf(key: string, version: number): string {
  return `${version} ${key}`;
}
