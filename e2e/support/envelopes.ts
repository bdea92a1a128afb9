import { sha256 } from "./messages.ts";

/** The envelope of an entry, as a client of the library publishes it. */
export interface StoreEnvelope {
  readonly operation: "store";
  readonly key: string;
  readonly value: string;
  readonly metadata: Readonly<Record<string, unknown>>;
}

export const A_TIME = "2026-01-02T03:04:05.678Z";

/** A valid envelope of a JSON value, with other metadata where a test gives some. */
export function envelopeOf(key: string, value: unknown, metadata: Readonly<Record<string, unknown>> = {}): StoreEnvelope {
  const payload = JSON.stringify(value);
  const fields = { format: "json", ttl: null, tags: [], checksum: sha256(payload), created_at: A_TIME, updated_at: A_TIME, version: 1 };
  return { operation: "store", key, value: payload, metadata: { ...fields, ...metadata } };
}

/** The envelope of a delete. */
export function deleteOf(key: string, version: number): { operation: "delete"; key: string; timestamp: string; version: number } {
  return { operation: "delete", key, timestamp: A_TIME, version };
}
