import type { KeyFormat, Payload } from "../model/metadata.ts";
import { compilePattern } from "../model/pattern.ts";
import type { SchemaIssue, SchemaResult, StandardSchema } from "../model/standard-schema.ts";
import { clip, KeyStoreError, messageOf } from "../util/errors.ts";
import { encode } from "./encode.ts";
import { decode, type Decoded } from "./formats.ts";

/** The schema of a key, under its pattern. */
export interface KeySchema {
  readonly pattern: string;
  readonly schema: StandardSchema;
}

/** The option `schemas`. */
export class Schemas {
  readonly #all: readonly (KeySchema & { matches(key: string): boolean })[];

  constructor(schemas: Readonly<Record<string, StandardSchema>>) {
    this.#all = Object.entries(schemas).map(([pattern, schema]) => ({ pattern, schema, matches: compilePattern(pattern).matches }));
  }

  /** The first schema whose pattern matches. */
  of(key: string): KeySchema | undefined {
    return this.#all.find(({ matches }) => matches(key));
  }

  /**
   * payload → schema → payload. The schema gets the value as a reader will, and the payload of what it returns is stored. It must accept
   * that too: otherwise nobody could read the entry.
   * @throws KeyStoreError SCHEMA_MISMATCH, INVALID_VALUE when the format cannot keep what the schema returns
   */
  async fit(key: string, payload: Payload, format: KeyFormat): Promise<Payload> {
    const schema = this.of(key);
    if (schema === undefined) return payload;
    const { value } = accepted(key, schema, await validate(key, schema, (await decode(key, payload, format)).value), "Correct the value.");
    const fitting = await encode(key, value, format);
    if (fitting !== payload) await readBack(key, schema, fitting, format);
    return fitting;
  }
}

/** The value of a payload that a schema has made. A fresh one at each call. @throws KeyStoreError SCHEMA_MISMATCH */
export async function readBack(key: string, schema: KeySchema, payload: Payload, format: KeyFormat): Promise<Decoded> {
  const result = await validate(key, schema, (await decode(key, payload, format)).value);
  return accepted(key, schema, result, `A schema must accept what it returns, as the format "${format}" keeps it.`);
}

/** Runs the schema. @throws KeyStoreError SCHEMA_MISMATCH without issues when the schema itself fails */
export function validate(key: string, { pattern, schema }: KeySchema, value: unknown): SchemaResult | Promise<SchemaResult> {
  const failed = (cause: unknown): never => {
    const message = `The schema "${pattern}" failed to check the value (${messageOf(cause)}). Correct the schema.`;
    throw new KeyStoreError("SCHEMA_MISMATCH", message, { key, cause });
  };
  try {
    const result = schema["~standard"].validate(value);
    // Any `then` makes a promise, also one of another realm.
    return "then" in result ? Promise.resolve(result).then(plain).catch(failed) : plain(result);
  } catch (cause) {
    return failed(cause);
  }
}

/** What an accepting schema returned, in a box. @throws KeyStoreError SCHEMA_MISMATCH */
export function accepted(key: string, { pattern }: KeySchema, result: SchemaResult, remedy: string): Decoded {
  if (result.issues === undefined) return { value: result.value };
  const { issues } = result;
  const more = issues.length > 1 ? `, and ${issues.length - 1} more` : "";
  const message = `The value does not fit the schema "${pattern}" (${textOf(issues[0])}${more}). ${remedy}`;
  throw new KeyStoreError("SCHEMA_MISMATCH", message, { key, issues });
}

/** A result may be an object of any class. */
function plain(result: SchemaResult): SchemaResult {
  return result.issues ? { issues: [...result.issues] } : { value: result.value };
}

function textOf(issue: SchemaIssue | undefined): string {
  const path = issue?.path?.map((step) => String(typeof step === "object" ? step.key : step)).join(".");
  return clip(`${path ? `${path}: ` : ""}${issue?.message}`);
}
