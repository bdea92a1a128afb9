import type { Environment, JetStream } from "../environment.ts";
import { envelopeOf } from "./envelopes.ts";

/** Writes of another browser, as the stream has them. */
export interface OtherBrowser {
  /** @returns the revision. @param base the newest revision of the key that it has seen */
  store(key: string, value: unknown, metadata?: Readonly<Record<string, unknown>>, base?: number): Promise<number>;
  delete(key: string, fields?: Readonly<Record<string, unknown>>, base?: number): Promise<number>;
}

/** The key's token in a subject, for keys without `.`, `*`, `>` or `%`. */
const subjectOf = (namespace: string, key: string): string => `_kv.${namespace}.key.${key}`;

/** Another browser whose writes are confirmed. */
export function otherBrowser({ jetstream, namespace }: Pick<Environment, "jetstream" | "namespace">): OtherBrowser {
  const publish = (key: string, envelope: object, base: number | undefined): ReturnType<JetStream["publish"]> =>
    jetstream.publish(subjectOf(namespace, key), JSON.stringify(envelope), base === undefined ? {} : { "Nas-Base": String(base) });
  return {
    store: (key, value, metadata, base) => publish(key, envelopeOf(key, JSON.stringify(value), metadata), base),
    delete: (key, fields = { version: 2 }, base) =>
      publish(key, { operation: "delete", key, timestamp: "2026-01-02T03:04:05.678Z", ...fields }, base),
  };
}

/** Creates the stream of the case's namespace. Fields that are not given are those of `ensureStream()`. */
export async function createStream(
  { jetstream, namespace }: Pick<Environment, "jetstream" | "namespace">,
  settings: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  await jetstream.createStream({
    name: `NAS_${namespace}`,
    subjects: [`_kv.${namespace}.key.>`],
    max_msgs_per_subject: 1,
    allow_direct: true,
    ...settings,
  });
}
