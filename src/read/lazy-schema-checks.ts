import type { KeyFormat, Payload } from "../model/metadata.ts";
import { LazyPart } from "../util/lazy-part.ts";
import type { Decoded } from "../values/formats.ts";
import type { CachedEntry } from "./memory-cache.ts";
import type { Checked } from "./reader.ts";
import type { SchemaChecks, SchemaChecksPorts } from "./schema-checks.ts";

/** Loads with the first value that a store with schemas writes or reads. */
export const schemaPart = new LazyPart(() => import("./schema-checks.ts"));

/** The checks of a store with schemas. */
export class LazySchemaChecks {
  readonly #ports: SchemaChecksPorts;
  #loaded: SchemaChecks | undefined;

  constructor(ports: SchemaChecksPorts) {
    this.#ports = ports;
  }

  readonly fit = async (key: string, payload: Payload, format: KeyFormat): Promise<Payload> =>
    (await this.#load()).fit(key, payload, format);

  readonly check = (key: string, entry: CachedEntry, decoded: Decoded | Promise<Decoded>): Checked => {
    const checked =
      this.#loaded === undefined || decoded instanceof Promise
        ? Promise.all([this.#load(), decoded]).then(([checks, value]) => checks.check(key, entry, value))
        : this.#loaded.check(key, entry, decoded);
    // `peek` does not wait for it.
    if (checked instanceof Promise) checked.catch(() => undefined);
    return checked;
  };

  async end(): Promise<void> {
    await this.#loaded?.end();
  }

  async #load(): Promise<SchemaChecks> {
    const part = await schemaPart.load();
    return (this.#loaded ??= new part.SchemaChecks(this.#ports));
  }
}
