import { FORMATS } from "../model/metadata.ts";
import { aboutKey, KeyStoreError } from "../util/errors.ts";
import { aFunction, isTag, isTtl, reader, signal, trueOrFalse, TTL, unless, wholeNumber } from "./checks.ts";
import type {
  BulkItemOptions,
  BulkOptions,
  DeleteOptions,
  EntriesOptions,
  FlushOptions,
  InvalidateOptions,
  ListOptions,
  ProgressOptions,
  PullOptions,
  RetrieveOptions,
  RetrieveOrStoreOptions,
  StoreOptions,
  TransferOptions,
} from "./types.ts";

// `every` skips holes. `Array.from` makes each of them undefined.
const ITEM_OPTIONS = {
  ifVersion: wholeNumber(0),
  ifRevision: wholeNumber(0),
  format: oneOf(...FORMATS),
  ttl: unless((value) => value === null || isTtl(value), `null or ${TTL}`),
  tags: unless((value) => Array.isArray(value) && Array.from(value as unknown[]).every(isTag), "an array of well-formed strings"),
};
const wellFormed = unless(isTag, "a well-formed string");
const STORE_OPTIONS = { ...ITEM_OPTIONS, signal };

// The options of the operations that load with the write side. Each reader throws INVALID_OPTION.
export const readStoreOptions = reader<StoreOptions>("StoreOptions", STORE_OPTIONS);
export const readBulkOptions = reader<BulkOptions>("BulkOptions", { ...STORE_OPTIONS, atomic: trueOrFalse, onProgress: aFunction });
const readItemOptions = reader<BulkItemOptions>("BulkItem", ITEM_OPTIONS);
export const readRetrieveOptions = reader<RetrieveOptions>("RetrieveOptions", {
  useCache: trueOrFalse,
  pull: oneOf("never", "missing", "always"),
  signal,
});
export const readDeleteOptions = reader<DeleteOptions>("DeleteOptions", { ifVersion: wholeNumber(0), ifRevision: wholeNumber(0), signal });
export const readFlushOptions = reader<FlushOptions>("FlushOptions", { signal });
export const readListOptions = reader<ListOptions>("ListOptions", { tag: wellFormed, after: wellFormed, limit: wholeNumber(1) });
export const readEntriesOptions = reader<EntriesOptions>("EntriesOptions", { tag: wellFormed, signal });
export const readRetrieveOrStoreOptions = reader<RetrieveOrStoreOptions>("RetrieveOrStoreOptions", {
  ...STORE_OPTIONS,
  staleWhileRevalidate: unless(isTtl, TTL),
});
export const readProgressOptions = reader<ProgressOptions>("ProgressOptions", { signal, onProgress: aFunction });
export const readPullOptions = reader<PullOptions>("PullOptions", {
  pattern: unless((value) => typeof value === "string", "a string"),
  full: trueOrFalse,
  onProgress: aFunction,
  signal,
});
export const readTransferOptions = reader<TransferOptions>("TransferOptions", { signal, onProgress: aFunction });
const readInvalidateOptions = reader<InvalidateOptions>("InvalidateOptions", {
  pattern: unless((value) => typeof value === "string", "a string"),
  tag: wellFormed,
});

function oneOf(...values: readonly unknown[]): ReturnType<typeof unless> {
  return unless((value) => values.includes(value), `one of "${values.join('", "')}"`);
}

/** @throws KeyStoreError INVALID_OPTION, also when neither a pattern nor a tag is given: nobody invalidates everything by accident */
export function readInvalidated(what: unknown): InvalidateOptions {
  const options = readInvalidateOptions(what);
  if (options.pattern !== undefined || options.tag !== undefined) return options;
  throw new KeyStoreError("INVALID_OPTION", 'Neither "pattern" nor "tag" is given. The pattern "*" matches every key.');
}

/** @param option names what needs durable mode. @throws KeyStoreError INVALID_OPTION where it is off */
export function assertDurable(durable: object | undefined, option: string): asserts durable is object {
  if (durable !== undefined) return;
  throw new KeyStoreError("INVALID_OPTION", `"${option}" needs durable mode. Construct the store with { durable: true }.`, { option });
}

/** @throws KeyStoreError INVALID_OPTION */
export function assertTag(tag: unknown): asserts tag is string {
  if (!isTag(tag)) throw new KeyStoreError("INVALID_OPTION", "The tag must be a well-formed string.", { option: "tag" });
}

/** @throws KeyStoreError INVALID_OPTION */
export function assertTtl(ttl: unknown): asserts ttl is number | null | undefined {
  if (ttl === undefined || ttl === null || isTtl(ttl)) return;
  throw new KeyStoreError("INVALID_OPTION", `The ttl must be null or ${TTL}.`, { option: "ttl" });
}

/**
 * The options of an item: its own ones win over those of the call. Errors name the key.
 * @param check a further check of its own ones
 * @throws KeyStoreError INVALID_OPTION
 */
export function itemOptions(
  key: string,
  own: unknown,
  common: StoreOptions,
  check: (own: BulkItemOptions) => BulkItemOptions = (given) => given,
): StoreOptions {
  if (own === undefined) return common;
  try {
    return { ...common, ...check(readItemOptions(own)) };
  } catch (error) {
    throw aboutKey(key, error);
  }
}
