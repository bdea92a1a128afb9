import { checkVersion } from "../model/expected-version.ts";
import { KeyFormat, type Payload } from "../model/metadata.ts";
import type { RetrieveOrStoreOptions } from "../options/types.ts";
import type { Exclusive } from "../tabs/locks.ts";
import { abortable } from "../util/abort.ts";
import type { KeyStoreError, KeyStoreErrorCode } from "../util/errors.ts";
import { capture, type CapturedValue } from "../values/captured-value.ts";
import { decode, type Decoded } from "../values/formats.ts";
import type { CoherentCache } from "./coherent-cache.ts";
import { Loading, type Loaded } from "./loading.ts";
import type { Reader, ReaderPorts } from "./reader.ts";

/** The `load` of a call. */
export type Load = (key: string, context: { readonly signal: AbortSignal }) => unknown;

type StoreLoadedOptions = RetrieveOrStoreOptions & {
  /** Asked by the commit: if true, the write is refused with VERSION_CONFLICT. */
  readonly isOvertaken: () => boolean;
};

export interface LoadOncePorts {
  readonly cache: Pick<CoherentCache, "held">;
  readonly reader: Pick<Reader, "decodeRow" | "readCached" | "readRow" | "readEntry">;
  /** Resolves when earlier writes of these keys are committed or have failed. */
  readonly writesCommitted: (keys: readonly string[]) => Promise<void>;
  /** Stores a value if the key is at the version, 0: absent. Settles when the write is published. @throws KeyStoreError as `store` does */
  readonly store: (key: string, value: CapturedValue, options: StoreLoadedOptions, onCommitted: () => void) => Promise<unknown>;
  /** Whether this version of a key is invalidated. */
  readonly isStale: (key: string, version: number) => boolean | Promise<boolean>;
  /** The payload that the schema of the key makes of it. Undefined: the store has no schemas. */
  readonly fit: ((key: string, payload: Payload, format: KeyFormat) => Promise<Payload>) | undefined;
  /** The value to return, by the schema of its key. */
  readonly check: ReaderPorts["check"];
  /** The loads under way in the page, by key. */
  readonly loadings: Map<string, Loading>;
  /** The entry of a key that expired at most so long ago, if it was stored to be kept. */
  readonly readExpired: (key: string, withinMs: number) => Promise<Loaded | undefined>;
  /** Does the work while no other tab loads the key: see `exclusively`. */
  readonly exclusively: (key: string, work: Exclusive, signal: AbortSignal) => Promise<unknown>;
}

/** The entry of a key, before a load. */
interface Present {
  readonly decoded: Decoded;
  readonly isFresh: boolean;
}

/**
 * Reads a key; if it is absent or stale, loads its value and stores it. Must run one load per key at a time: among the calls of a page by
 * `loadings`, among tabs by a lock. A write, a delete or an invalidation during the load is newer than the loaded value and must stay.
 */
export class LoadOnce {
  readonly #ports: LoadOncePorts;
  readonly #own = new Set<Loading>();
  readonly #publishing = new Set<Promise<unknown>>();

  constructor(ports: LoadOncePorts) {
    this.#ports = ports;
  }

  /** @param options checked */
  async retrieveOrStore(key: string, load: Load, options: RetrieveOrStoreOptions): Promise<unknown> {
    const { signal } = options;
    const present = await abortable(signal, () => this.#present(key, options));
    signal?.throwIfAborted();
    if (present?.isFresh === true) return present.decoded.value;
    const loading = this.#ports.loadings.get(key) ?? this.#start(key, load, options, present !== undefined);
    if (present !== undefined) return present.decoded.value;
    return (await this.#valueOf(key, await loading.wait(signal)))?.value;
  }

  /** Ends loads in the background for a reason, and resolves when nothing of this store is under way. */
  async close(reason: KeyStoreError): Promise<void> {
    for (const loading of this.#own) loading.endInBackground(reason);
    await Promise.all(Array.from(this.#own, (loading) => loading.ended()));
    await Promise.all(this.#publishing);
  }

  /** The entry of a key, or the one that has expired and may still be returned. */
  async #present(key: string, { staleWhileRevalidate: seconds }: RetrieveOrStoreOptions): Promise<Present | undefined> {
    const { cache, reader, writesCommitted } = this.#ports;
    await writesCommitted([key]);
    const held = cache.held(key);
    const isHeld = held !== undefined && !(await this.#isStale(key, held.version));
    const cached = isHeld ? await reader.readCached(key) : undefined;
    if (cached !== undefined) return { decoded: cached, isFresh: true };
    const found = await reader.readEntry(key, true).catch(asAbsent);
    if (found === undefined) return seconds === undefined ? undefined : this.#expired(key, seconds * 1000);
    const isFresh = !(await this.#isStale(key, found.row.version));
    return isFresh || seconds !== undefined ? { decoded: found.decoded, isFresh } : undefined;
  }

  async #isStale(key: string, version: number): Promise<boolean> {
    return (await Promise.resolve(this.#ports.isStale(key, version)).catch(asAbsent)) !== false;
  }

  async #expired(key: string, withinMs: number): Promise<Present | undefined> {
    try {
      const loaded = await this.#ports.readExpired(key, withinMs);
      const decoded = loaded && (await this.#valueOf(key, loaded));
      return decoded && { decoded, isFresh: false };
    } catch (error) {
      // Also without its encryption key: the entry is absent for every other operation.
      return hasCode(error, "DECRYPT_FAILED") ? undefined : asAbsent(error);
    }
  }

  /** A fresh value at each call. */
  async #valueOf(key: string, { payload, format }: Loaded): Promise<Decoded | undefined> {
    const entry = { payload, format, version: 0, size: 0, expiresAt: undefined };
    return this.#ports.check(key, entry, await decode(key, payload, format));
  }

  #start(key: string, load: Load, options: RetrieveOrStoreOptions, inBackground: boolean): Loading {
    const { loadings } = this.#ports;
    const run = async (loading: Loading): Promise<Loaded> => {
      const forget = (): void => {
        if (loadings.get(key) === loading) loadings.delete(key);
      };
      // A call after the last abort starts another load.
      loading.signal.addEventListener("abort", forget);
      try {
        return await this.#underLock(key, load, options, loading);
      } finally {
        forget();
        this.#own.delete(loading);
      }
    };
    const loading = new Loading(key, options.tags ?? [], run);
    if (inBackground) loading.keep();
    loadings.set(key, loading);
    this.#own.add(loading);
    return loading;
  }

  async #underLock(key: string, load: Load, options: RetrieveOrStoreOptions, loading: Loading): Promise<Loaded> {
    let loaded: Loaded | undefined;
    const work = async (): Promise<void> => {
      loaded = await this.#loadUnlessFresh(key, load, options, loading);
    };
    // A tab that is paused holds its lock: another tab takes it over, and both may load.
    await this.#ports.exclusively(key, work, loading.signal);
    if (loaded === undefined) throw loading.signal.reason;
    return loaded;
  }

  /** Another tab may have loaded the value while this one waited for the lock. */
  async #loadUnlessFresh(key: string, load: Load, options: RetrieveOrStoreOptions, loading: Loading): Promise<Loaded> {
    const { signal } = loading;
    loading.isOvertaken = false;
    const { fresh, version } = await this.#look(key);
    if (fresh !== undefined) return fresh;

    const value = await abortable(signal, async () => load(key, { signal }));
    const { format = KeyFormat.JSON } = options;
    const payload = await capture(key, value, format)(format);
    const { fit } = this.#ports;
    const loaded = { payload: fit === undefined ? payload : await fit(key, payload, format), format };
    return this.#store(key, loaded, options, loading, version);
  }

  /** The fresh entry of a key, and the version of the entry that there is, 0: none. */
  async #look(key: string): Promise<{ fresh?: Loaded; version: number }> {
    const { reader } = this.#ports;
    // Past memory, and past reads under way: both may be older than the lock.
    const row = await reader.readRow(key).catch(asAbsent);
    const { version = 0 } = row ?? {};
    const found = row && (await reader.decodeRow(key, row).catch(asAbsent));
    if (found === undefined || (await this.#isStale(key, version))) return { version };
    const { format } = found.row;
    // A migrated value is not the one of the row.
    const payload = this.#ports.fit === undefined ? found.entry.payload : await capture(key, found.decoded.value, format)(format);
    return { fresh: { payload, format }, version };
  }

  /**
   * Stores a loaded value, unless the key has a newer one, which is returned. A value that cannot be kept is returned all the same.
   * @throws KeyStoreError VERSION_CONFLICT if the key is not at the version that the caller expects
   */
  async #store(key: string, loaded: Loaded, options: RetrieveOrStoreOptions, loading: Loading, version: number): Promise<Loaded> {
    let ifVersion = options.ifVersion ?? version;
    while (!loading.isOvertaken) {
      try {
        await this.#commit(key, loaded, { ...options, ifVersion, isOvertaken: () => loading.isOvertaken });
        return loaded;
      } catch (error) {
        if (hasCode(error, "QUOTA_EXCEEDED", "STORAGE_UNAVAILABLE")) return loaded;
        if (!hasCode(error, "VERSION_CONFLICT")) throw error;
        if (loading.isOvertaken) break;
        if (options.ifVersion !== undefined || options.ifRevision !== undefined) throw error;
      }
      const newer = await this.#look(key);
      if (newer.version !== 0) return newer.fresh ?? loaded;
      // The entry has expired or was evicted.
      ifVersion = 0;
    }
    const newer = await this.#look(key);
    checkVersion(key, newer, options.ifVersion);
    return newer.fresh ?? loaded;
  }

  /** Resolves when the value is committed. It is published in the background. */
  #commit(key: string, { payload }: Loaded, options: StoreLoadedOptions): Promise<void> {
    const { signal: _, ...unending } = options;
    return new Promise((resolve, reject) => {
      const publishing = this.#ports.store(key, () => payload, unending, resolve).then(() => undefined, reject);
      this.#publishing.add(publishing);
      void publishing.finally(() => this.#publishing.delete(publishing));
    });
  }
}

/** An entry that is damaged, that its schema refuses, or that the browser does not return, is loaded again. */
function asAbsent(error: unknown): undefined {
  if (!hasCode(error, "CHECKSUM_MISMATCH", "DECODE_FAILED", "SCHEMA_MISMATCH", "STORAGE_UNAVAILABLE")) throw error;
}

function hasCode(error: unknown, ...codes: readonly KeyStoreErrorCode[]): boolean {
  return codes.includes((error as KeyStoreError).code);
}
