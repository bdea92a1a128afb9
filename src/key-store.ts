import type { LateOperations, NASKeyStore as KeyStore, NASKeyStoreConstructor } from "./interface/key-store.ts";
import type { ChangeListener, KeyStoreEvents, PublicChange } from "./model/events.ts";
import { assertKey } from "./model/key.ts";
import { KeyFormat, type KeyMetadata } from "./model/metadata.ts";
import { readItems, readKeys } from "./options/arguments.ts";
import { checkedOptionsOf } from "./options/checked-options.ts";
import { copyOptions, readRetrieveOptions, readWatchOptions } from "./options/checks.ts";
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
import { KeyStoreError } from "./util/errors.ts";
import { capture, type CapturedItem } from "./values/captured-value.ts";
import type { Decoded } from "./values/formats.ts";

/**
 * The operations whose arguments the write side checks, by what they do. A read that follows one that writes waits for it. The errors of
 * one that is on a key name the key.
 */
const LATE = {
  delete: "writes a key",
  getMetadata: "on a key",
  bulkDelete: "writes keys",
  clearCache: "writes any key",
  deleteByTag: "writes any key",
  invalidate: "",
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
} as const satisfies Record<Exclude<keyof LateOperations, "retrieveOrStore">, string>;

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
    // A read from memory waits for nothing, so `close` need not wait for it. Every key in memory is valid.
    const isPlain = options === undefined && this.#operations.mayRead(key);
    const cached = isPlain ? reader.readCached(key) : undefined;
    if (cached !== undefined) return (cached instanceof Promise ? await cached : cached).value as T;
    const found = await this.#onKey(key, () => {
      const { useCache = true, signal } = readRetrieveOptions(options);
      return this.#operations.read([key], signal, () => (isPlain ? reader.readStored(key, true) : reader.read(key, useCache)));
    });
    return found?.value as T | undefined;
  }

  async retrieveOrStore<T>(key: string, load: unknown, options?: RetrieveOrStoreOptions): Promise<T> {
    const cached = this.#operations.mayRead(key) ? this.#runtime.loaded()?.readCached(key, load, options) : undefined;
    if (cached !== undefined) return (cached instanceof Promise ? await cached : cached).value as T;
    return this.#late("retrieveOrStore", "on a key", [key, load, options]) as Promise<T>;
  }

  exists(key: string): Promise<boolean> {
    return this.#onKey(key, () =>
      this.#operations.read([key], undefined, async () => (await this.#runtime.reader.readRow(key)) !== undefined),
    );
  }

  update(key: string, value: unknown, options?: StoreOptions): Promise<boolean> {
    return this.#write("update", key, value, options, undefined);
  }

  bulkStore(items: Record<string, unknown> | Iterable<BulkItem>, options?: BulkOptions): Promise<Map<string, boolean>> {
    return this.#operations.run(() => {
      const given = readItems(items);
      const copy = copyOptions(options);
      const values = new Map(
        Array.from(given, ([key, [value, own]]): [string, CapturedItem] => [
          key,
          [capture(key, value, formatIn(own) ?? formatIn(copy) ?? KeyFormat.JSON), own],
        ]),
      );
      return this.#operations.write([...values.keys()], ({ operations }) => operations.bulkStore(items, values, copy));
    });
  }

  bulkRetrieve<T = unknown>(keys: Iterable<string>, options?: RetrieveOptions): Promise<Map<string, T>> {
    return this.#operations.run(() => {
      const list = readKeys(keys);
      const { useCache = true, signal } = readRetrieveOptions(options);
      return this.#operations.read(list, signal, () => this.#runtime.reader.bulkRetrieve(list, useCache) as Promise<Map<string, T>>);
    });
  }

  peek<T = unknown>(key: string): T | undefined {
    this.#operations.assertOpen(key);
    assertKey(key);
    // The serializer of a structured value in memory has loaded, so this is no promise.
    return (this.#runtime.reader.peek(key) as Decoded | undefined)?.value as T | undefined;
  }

  watch(pattern: string, listener: ChangeListener, options?: WatchOptions): () => void;
  watch(pattern: string, options?: WatchOptions): AsyncIterable<PublicChange>;
  watch(pattern: string, ...rest: unknown[]): unknown {
    this.#operations.assertOpen();
    if (typeof (pattern as unknown) !== "string") {
      throw new KeyStoreError("INVALID_OPTION", "The pattern must be a string.", { option: "pattern" });
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

  override addEventListener(...[type, ...rest]: Parameters<EventTarget["addEventListener"]>): void {
    if (type === "change") this.#runtime.withWatches((watches, owner) => watches.dispatchTo(owner));
    super.addEventListener(type, ...rest);
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
    this.#runtime.withWatches((watches, owner) => watches.endOf(owner));
    return this.#operations.close(() => this.#runtime.close());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** An operation on one key, which its errors name. */
  #onKey<T>(key: string, work: () => Promise<T>): Promise<T> {
    return this.#operations.run(() => {
      assertKey(key);
      return work();
    }, key);
  }

  /** Captures the value in the call. The write side checks the key and the options, then the value. */
  #write(name: "store" | "update", key: string, value: unknown, options: unknown, defaultFormat: KeyFormat | undefined): Promise<boolean> {
    return this.#operations.run(() => {
      const copy = copyOptions(options);
      const captured = capture(key, value, formatIn(copy) ?? defaultFormat);
      return this.#operations.write([key], ({ operations }) => operations[name](key, captured, copy, value));
    }, key);
  }

  /** An operation of LATE. The caller may change its arguments later. */
  #late(name: keyof LateOperations, scope: (typeof LATE)[LateName], args: unknown[]): Promise<unknown> {
    const key = scope.endsWith("a key") ? (args[0] as string) : undefined;
    return this.#operations.run(() => {
      const keys = scope.endsWith("keys") ? (args[0] = readKeys(args[0])) : scope.startsWith("writes") ? [key] : [];
      const copies = args.map(copyOptions);
      return this.#operations.write(keys, ({ operations }) => (operations[name] as (...given: unknown[]) => Promise<unknown>)(...copies));
    }, key);
  }

  /** An iteration that loads late. Its arguments are read at the first step. */
  async *#iterate(name: keyof LateIterations, args: readonly unknown[]): AsyncGenerator {
    yield* (await this.#operations.run(this.#runtime.writeSide)).iterate(this.#operations, name, args);
  }
} as unknown as NASKeyStoreConstructor;

export type NASKeyStore = KeyStore;

function formatIn(options: unknown): unknown {
  return (options as StoreOptions | undefined)?.format;
}
