import { DELETE_OPTIONS, isTag, reader, signal, unless } from "./checks.ts";
import type { DeleteOptions, FlushOptions, ListOptions } from "./types.ts";

// The options of the operations that load with the write side. Each reader throws INVALID_OPTION.
export const readDeleteOptions = reader<DeleteOptions>("DeleteOptions", DELETE_OPTIONS);
export const readFlushOptions = reader<FlushOptions>("FlushOptions", { signal });
export const readListOptions = reader<ListOptions>("ListOptions", { tag: unless(isTag, "a well-formed string") });
