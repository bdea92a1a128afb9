import { sha256Of } from "./rows.ts";

export const TIME = "2026-01-02T03:04:05.678Z";

/** The envelope of an entry, as `export` has it. */
export function storeEnvelope(key: string, value = "1", metadata: Readonly<Record<string, unknown>> = {}) {
  const facts = { format: "json", ttl: null, tags: [], created_at: TIME, updated_at: TIME, version: 1, origin: "a database" };
  return {
    operation: "store",
    key,
    value,
    metadata: { ...facts, checksum: sha256Of(value), size: new TextEncoder().encode(value).length, ...metadata },
  };
}

export function envelopesOf(count: number): ReturnType<typeof storeEnvelope>[] {
  return Array.from({ length: count }, (_, n) => storeEnvelope(`k${n}`, String(n)));
}
