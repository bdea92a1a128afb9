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
  RetrieveOptions,
  RetrieveOrStoreOptions,
  StoreOptions,
  TransferOptions,
} from "./types.ts";

const DELETE_OPTIONS = { ifVersion: wholeNumber(0), signal };
// `every` skips holes. `Array.from` makes each of them undefined.
const ITEM_OPTIONS = {
  ifVersion: wholeNumber(0),
  format: unless((value) => FORMATS.includes(value), `one of "${FORMATS.join('", "')}"`),
  ttl: unless((value) => value === null || isTtl(value), `null or ${TTL}`),
  tags: unless((value) => Array.isArray(value) && Array.from(value as unknown[]).every(isTag), "an array of well-formed strings"),
};
const wellFormed = unless(isTag, "a well-formed string");
const STORE_OPTIONS = { ...ITEM_OPTIONS, signal };

// The options of the operations that load with the write side. Each reader throws INVALID_OPTION.
export const readStoreOptions = reader<StoreOptions>("StoreOptions", STORE_OPTIONS);
export const readBulkOptions = reader<BulkOptions>("BulkOptions", { ...STORE_OPTIONS, atomic: trueOrFalse, onProgress: aFunction });
const readItemOptions = reader<BulkItemOptions>("BulkItem", ITEM_OPTIONS);
export const readRetrieveOptions = reader<RetrieveOptions>("RetrieveOptions", { useCache: trueOrFalse, signal });
export const readDeleteOptions = reader<DeleteOptions>("DeleteOptions", DELETE_OPTIONS);
export const readFlushOptions = reader<FlushOptions>("FlushOptions", { signal });
export const readListOptions = reader<ListOptions>("ListOptions", { tag: wellFormed, after: wellFormed, limit: wholeNumber(1) });
export const readEntriesOptions = reader<EntriesOptions>("EntriesOptions", { tag: wellFormed, signal });
export const readRetrieveOrStoreOptions = reader<RetrieveOrStoreOptions>("RetrieveOrStoreOptions", {
  ...STORE_OPTIONS,
  staleWhileRevalidate: unless(isTtl, TTL),
});
export const readProgressOptions = reader<ProgressOptions>("ProgressOptions", { signal, onProgress: aFunction });
export const readTransferOptions = reader<TransferOptions>("TransferOptions", { signal, onProgress: aFunction });
const readInvalidateOptions = reader<InvalidateOptions>("InvalidateOptions", {
  pattern: unless((value) => typeof value === "string", "a string"),
  tag: wellFormed,
});

/** @throws KeyStoreError INVALID_OPTION, also when neither a pattern nor a tag is given: nobody invalidates everything by accident */
export function readInvalidated(what: unknown): InvalidateOptions {
  const options = readInvalidateOptions(what);
  if (options.pattern !== undefined || options.tag !== undefined) return options;
  throw new KeyStoreError("INVALID_OPTION", 'Neither "pattern" nor "tag" is given. The pattern "*" matches every key.');
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

/** The options of an item: its own ones win over those of the call. Errors name the key. @throws KeyStoreError INVALID_OPTION */
export function itemOptions(key: string, own: unknown, common: StoreOptions): StoreOptions {
  if (own === undefined) return common;
  try {
    return { ...common, ...readItemOptions(own) };
  } catch (error) {
    throw aboutKey(key, error);
  }
}
