import { FORMATS } from "../model/metadata.ts";
import { aFunction, isTag, isTtl, reader, signal, TTL, unless, wholeNumber } from "./checks.ts";
import type { BulkOptions, DeleteOptions, FlushOptions, ListOptions, StoreOptions } from "./types.ts";

const DELETE_OPTIONS = { ifVersion: wholeNumber(0), signal };
// `every` skips holes. `Array.from` makes each of them undefined.
const STORE_OPTIONS = {
  ...DELETE_OPTIONS,
  format: unless((value) => FORMATS.includes(value), `one of "${FORMATS.join('", "')}"`),
  ttl: unless((value) => value === null || isTtl(value), `null or ${TTL}`),
  tags: unless((value) => Array.isArray(value) && Array.from(value as unknown[]).every(isTag), "an array of well-formed strings"),
};

// The options of the operations that load with the write side. Each reader throws INVALID_OPTION.
export const readStoreOptions = reader<StoreOptions>("StoreOptions", STORE_OPTIONS);
export const readBulkOptions = reader<BulkOptions>("BulkOptions", { ...STORE_OPTIONS, onProgress: aFunction });
export const readDeleteOptions = reader<DeleteOptions>("DeleteOptions", DELETE_OPTIONS);
export const readFlushOptions = reader<FlushOptions>("FlushOptions", { signal });
export const readListOptions = reader<ListOptions>("ListOptions", { tag: unless(isTag, "a well-formed string") });
