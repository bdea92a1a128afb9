import type { NASKeyStore } from "nas-keystore";

/** The envelope of an entry. */
export interface StoreEnvelope {
  readonly operation: string;
  readonly key: string;
  readonly value: string;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** All envelopes of an export, as lines of a file have them. */
export async function exported(store: NASKeyStore, pattern?: string): Promise<StoreEnvelope[]> {
  const envelopes: StoreEnvelope[] = [];
  for await (const envelope of store.export(pattern)) envelopes.push(JSON.parse(JSON.stringify(envelope)) as StoreEnvelope);
  return envelopes;
}

/** A valid envelope of a JSON text, with other metadata where a case gives some. */
export function envelopeOf(key: string, value: string, metadata: Readonly<Record<string, unknown>> = {}): StoreEnvelope {
  const times = { created_at: "2026-01-02T03:04:05.678Z", updated_at: "2026-01-02T03:04:05.678Z" };
  return { operation: "store", key, value, metadata: { format: "json", version: 1, ...times, ...metadata } };
}

/** The envelopes one after another. Each is read in a later turn. */
export async function* asynchronously<T>(envelopes: Iterable<T>): AsyncGenerator<T, void, undefined> {
  for (const envelope of envelopes) {
    await Promise.resolve();
    yield envelope;
  }
}
