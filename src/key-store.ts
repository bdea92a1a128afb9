import type { LateOperations, NASKeyStore as KeyStore, NASKeyStoreConstructor } from "./interface/key-store.ts";
import type { ChangeListener, KeyStoreEvents, PublicChange } from "./model/events.ts";
import { assertKey } from "./model/key.ts";
import { KeyFormat, type KeyMetadata } from "./model/metadata.ts";
import { readItems, readKeys } from "./options/arguments.ts";
import { checkedOptionsOf } from "./options/checked-options.ts";
import { copyOptions, invalidOption, readWatchOptions } from "./options/checks.ts";
import type {
  BulkItem,
  BulkOptions,
  KeyStoreOptions,
  RetrieveOptions,
  RetrieveOrStoreOptions,
  StoreOptions,
  WatchOptions,
} from "./options/types.ts";
import type { CacheStats } from "./read/memory-cache.ts";
import type { WatchHandle } from "./read/watches.ts";
import { Operations } from "./runtime/operations.ts";
import type { LateIterations } from "./runtime/late-iterations.ts";
import type { Pages } from "./runtime/page.ts";
import { openRuntime, type Runtime } from "./runtime/runtime.ts";
import type { Clock } from "./util/clock.ts";
import { capture } from "./values/captured-value.ts";

/** The operations whose arguments the write side checks. Reads wait for those that write. The errors of those on a key name the key. */
const LATE = {
  exists: "on a key",
  bulkRetrieve: "on keys",
  bulkDelete: "writes keys",
  delete: "writes a key",
  getMetadata: "on a key",
  clearCache: "writes all",
  deleteByTag: "writes all",
  invalidate: "writes all",
  touch: "writes a key",
  listKeys: "",
  ping: "",
  flush: "",
  pendingWrites: "",
  retryRejected: "on a key",
  discardRejected: "on a key",
  getStorageStats: "",
  sweep: "",
  import: "",
  ensureStream: "",
  pull: "",
} as const satisfies Record<Exclude<keyof LateOperations, "retrieve" | "retrieveOrStore">, string>;

type LateName = keyof typeof LATE;

/** Checks what must be checked or copied in the call itself, and delegates. The interface has the documentation. */
export const NASKeyStore = class NASKeyStore extends EventTarget implements Omit<KeyStore, LateName | keyof EventTarget> {
  readonly #runtime: Runtime;
  readonly #operations: Operations;

  /** @param clock moved by the tests. @param pages the tabs of the tests. Neither is part of the public declarations */
  constructor(options?: KeyStoreOptions, clock?: Clock, pages?: Pages) {
    super();
    this.#runtime = openRuntime(
      checkedOptionsOf(options),
      <E extends keyof KeyStoreEvents>(type: E, detail: KeyStoreEvents[E]) => this.dispatchEvent(new CustomEvent(type, { detail })),
      clock,
      pages,
    );
    this.#operations = new Operations(this.#runtime.writeSide);
  }

  static {
    for (const [name, scope] of Object.entries(LATE) as [LateName, (typeof LATE)[LateName]][]) {
      const method = function (this: NASKeyStore, ...args: unknown[]): Promise<unknown> {
        return this.#late(name, scope, args);
      };
      Object.defineProperty(this.prototype, name, { value: method, configurable: true, writable: true });
    }
  }

  store(key: string, value: unknown, options?: StoreOptions): Promise<boolean> {
    return this.#write("store", key, value, options, KeyFormat.JSON);
  }

  async retrieve<T = unknown>(key: string, options?: RetrieveOptions): Promise<T | undefined> {
    const { reader } = this.#runtime;
    if (options !== undefined) return this.#late("retrieve", "on a key", [key, options]) as Promise<T | undefined>;
    // A read from memory waits for nothing, so `close` need not wait for it. Every key in memory is valid.
    const cached = this.#operations.mayRead(key) && reader.readCached(key);
    // A schema or a migration may take a while: `close` waits for it.
    if (cached) return (cached instanceof Promise ? await this.#operations.run(() => cached, key) : cached)?.value as T;
    const found = await this.#operations.run(() => {
      assertKey(key);
      return this.#operations.read(key, () => reader.readEntry(key, true));
    }, key);
    return found?.decoded.value as T | undefined;
  }

  async retrieveOrStore<T>(key: string, load: unknown, options?: RetrieveOrStoreOptions): Promise<T> {
    const cached = this.#operations.mayRead(key) && this.#runtime.loaded()?.readCached(key, load, options);
    return (cached ? cached.value : this.#late("retrieveOrStore", "on a key", [key, load, options])) as T;
  }

  update(key: string, value: unknown, options?: StoreOptions): Promise<boolean> {
    return this.#write("update", key, value, options);
  }

  bulkStore(items: Record<string, unknown> | Iterable<BulkItem>, options?: BulkOptions): Promise<Map<string, boolean>> {
    return this.#operations.run(() => {
      const copy = copyOptions(options);
      const given = readItems(items, (key, value, own) => capture(key, value, formatIn(own) ?? formatIn(copy) ?? KeyFormat.JSON));
      const keys = given.map(([key]) => key as string);
      return this.#operations.write(keys, ({ operations }) => operations.bulkStore(items, given, copy));
    });
  }

  peek<T = unknown>(key: string): T | undefined {
    this.#operations.assertOpen(key);
    assertKey(key);
    // A promise, which has no value, if the schema of the key cannot be asked at once.
    return (this.#runtime.reader.peek(key) as { readonly value?: unknown } | undefined)?.value as T | undefined;
  }

  watch(pattern: string, listener: ChangeListener, options?: WatchOptions): () => void;
  watch(pattern: string, options?: WatchOptions): AsyncIterable<PublicChange>;
  watch(pattern: string, ...rest: unknown[]): unknown {
    this.#operations.assertOpen();
    if (typeof (pattern as unknown) !== "string") {
      throw invalidOption("The pattern must be a string.", "pattern");
    }
    const { signal } = readWatchOptions(rest.find((argument) => typeof argument !== "function"));
    const { withWatches, writeSide } = this.#runtime;
    let watch: WatchHandle | undefined;
    withWatches((watches, owner) => (watch ??= watches.watch(owner, pattern, signal, rest[0])));
    return (
      watch ??
      // Until the watches are there: a function that ends the watch and is iterable. A watch that ends before it begins is a function without effect.
      Object.assign(() => (watch ??= Boolean as () => unknown as WatchHandle)(), {
        async *[Symbol.asyncIterator]() {
          await writeSide();
          yield* watch!;
        },
      })
    );
  }

  override addEventListener(...args: Parameters<EventTarget["addEventListener"]>): void {
    if (args[0] === "change") this.#runtime.withWatches((watches, owner) => watches.dispatchTo(owner));
    super.addEventListener(...args);
  }

  entries<T>(...args: unknown[]): AsyncIterable<[key: string, value: T, metadata: KeyMetadata]> {
    return this.#iterate("entries", args) as AsyncIterable<[string, T, KeyMetadata]>;
  }

  export(...args: unknown[]): AsyncIterable<object> {
    return this.#iterate("export", args) as AsyncIterable<object>;
  }

  getCacheStats(): CacheStats {
    return this.#runtime.cacheStats();
  }

  close(): Promise<void> {
    const closing = this.#operations.close(() => this.#runtime.close());
    this.#runtime.beginClose(closing);
    return closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Captures the value in the call. The write side checks the key and the options, then the value. */
  #write(name: "store" | "update", key: string, value: unknown, options: unknown, defaultFormat?: KeyFormat): Promise<boolean> {
    return this.#operations.run(() => {
      const copy = copyOptions(options);
      const captured = capture(key, value, formatIn(copy) ?? defaultFormat);
      return this.#operations.write([key], ({ operations }) => operations[name](key, captured, copy, value));
    }, key);
  }

  /** An operation of LATE. The caller may change its arguments later. */
  #late(name: keyof LateOperations, scope: (typeof LATE)[LateName], [first, ...rest]: readonly unknown[]): Promise<unknown> {
    const key = scope.endsWith("a key") ? (first as string) : undefined;
    return this.#operations.run(() => {
      const keys = scope.endsWith(" keys") ? readKeys(first) : undefined;
      const copies = [keys ?? copyOptions(first), ...rest.map(copyOptions)];
      const written = scope.startsWith("writes") ? (keys ?? [key]) : [];
      return this.#operations.write(written, ({ operations }) =>
        (operations[name] as (...given: unknown[]) => Promise<unknown>)(...copies),
      );
    }, key);
  }

  /** An iteration that loads late. Its arguments are read at the first step. */
  async *#iterate(name: keyof LateIterations, args: readonly unknown[]): AsyncGenerator {
    yield* (await this.#operations.run(this.#runtime.writeSide)).iterate(this.#operations, name, args);
  }
} as unknown as NASKeyStoreConstructor;

// oxlint-disable-next-line typescript/no-explicit-any
export type NASKeyStore<Schema extends object = Record<string, any>> = KeyStore<Schema>;

function formatIn(options: unknown): unknown {
  return (options as StoreOptions | undefined)?.format;
}
