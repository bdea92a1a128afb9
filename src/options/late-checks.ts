import { FORMATS } from "../model/metadata.ts";
import { KeyStoreError } from "../util/errors.ts";
import { aFunction, isTag, isTtl, reader, signal, TTL, unless, wholeNumber } from "./checks.ts";
import type {
  BulkOptions,
  DeleteOptions,
  FlushOptions,
  InvalidateOptions,
  ListOptions,
  ProgressOptions,
  RetrieveOrStoreOptions,
  StoreOptions,
} from "./types.ts";

const DELETE_OPTIONS = { ifVersion: wholeNumber(0), signal };
// `every` skips holes. `Array.from` makes each of them undefined.
const STORE_OPTIONS = {
  ...DELETE_OPTIONS,
  format: unless((value) => FORMATS.includes(value), `one of "${FORMATS.join('", "')}"`),
  ttl: unless((value) => value === null || isTtl(value), `null or ${TTL}`),
  tags: unless((value) => Array.isArray(value) && Array.from(value as unknown[]).every(isTag), "an array of well-formed strings"),
};
const wellFormed = unless(isTag, "a well-formed string");

// The options of the operations that load with the write side. Each reader throws INVALID_OPTION.
export const readStoreOptions = reader<StoreOptions>("StoreOptions", STORE_OPTIONS);
export const readBulkOptions = reader<BulkOptions>("BulkOptions", { ...STORE_OPTIONS, onProgress: aFunction });
export const readDeleteOptions = reader<DeleteOptions>("DeleteOptions", DELETE_OPTIONS);
export const readFlushOptions = reader<FlushOptions>("FlushOptions", { signal });
// A load compares the version itself.
const { ifVersion: _, ...LOAD_OPTIONS } = STORE_OPTIONS;
export const readRetrieveOrStoreOptions = reader<RetrieveOrStoreOptions>("RetrieveOrStoreOptions", {
  ...LOAD_OPTIONS,
  staleWhileRevalidate: unless(isTtl, TTL),
});
export const readListOptions = reader<ListOptions>("ListOptions", { tag: wellFormed });
export const readProgressOptions = reader<ProgressOptions>("ProgressOptions", { signal, onProgress: aFunction });
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
