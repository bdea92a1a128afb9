import type { RetrieveOptions } from "../options/types.ts";
import { abortable } from "../util/abort.ts";
import type { Decoded } from "../values/formats.ts";
import { readMany, readOne } from "./bulk-reader.ts";
import type { Reader } from "./reader.ts";

export interface RetrievalPorts {
  readonly reader: Pick<Reader, "readCached" | "readEntry">;
  /** Resolves when earlier writes of these keys are committed or have failed. */
  readonly writesCommitted: (keys: readonly string[]) => Promise<void>;
  /**
   * Commits what the stream has of these keys. Resolves too where it cannot be asked.
   * @throws KeyStoreError QUOTA_EXCEEDED, STORAGE_UNAVAILABLE; the signal's reason
   */
  readonly fetch: (keys: readonly string[], signal: AbortSignal | undefined) => Promise<void>;
}

/** Reads entries, in durable mode after the stream was asked for them. */
export class Retrieval {
  readonly #ports: RetrievalPorts;

  constructor(ports: RetrievalPorts) {
    this.#ports = ports;
  }

  one(key: string, options: RetrieveOptions): Promise<Decoded | undefined> {
    const { reader } = this.#ports;
    const read = (): Promise<Decoded | undefined> => readOne(reader, key, options.useCache ?? true);
    return this.#read([key], options, read, (found) => (found === undefined ? [key] : []));
  }

  /** The values found, in the order of the keys. */
  many(keys: readonly string[], options: RetrieveOptions): Promise<Map<string, unknown>> {
    const read = (): Promise<Map<string, unknown>> => readMany(this.#ports.reader, keys, options.useCache ?? true);
    return this.#read(keys, options, read, (found) => keys.filter((key) => !found.has(key)));
  }

  /** @param missing the keys that were not found */
  #read<Found>(
    keys: readonly string[],
    { pull = "never", signal }: RetrieveOptions,
    read: () => Promise<Found>,
    missing: (found: Found) => readonly string[],
  ): Promise<Found> {
    const { fetch, writesCommitted } = this.#ports;
    return abortable(signal, async () => {
      await writesCommitted(keys);
      if (pull === "always") await fetch(keys, signal);
      const found = await read();
      const absent = pull === "missing" ? missing(found) : [];
      if (absent.length === 0) return found;
      await fetch(absent, signal);
      return read();
    });
  }
}
