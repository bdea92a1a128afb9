import type { StandardSchema } from "../model/standard-schema.ts";

/** A schema of no library. */
export function schema(validate: StandardSchema["~standard"]["validate"]): StandardSchema {
  return { "~standard": { version: 1, vendor: "test", validate } };
}
