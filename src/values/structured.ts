import { DevalueError, stringify, unflatten } from "devalue";
import { clip, KeyStoreError, messageOf } from "../util/errors.ts";
import { contentsOf, viewInfo } from "./structured-contents.ts";
import { errorReviver, type ErrorParts } from "./structured-errors.ts";
import { referencesOf } from "./structured-references.ts";
import { refuse, survey } from "./structured-survey.ts";

/** UTF-16 code units of a text. */
const MAX_TEXT = 64 * 1024 * 1024;
/**
 * The text of a value, by devalue. Kept exactly: JSON values, undefined, NaN, ±Infinity, -0, BigInt, Date, Map, Set, RegExp,
 * URL, URLSearchParams, ArrayBuffer, typed arrays, DataView, boxed primitives, sparse arrays, cycles, shared references,
 * objects without a prototype, and the name, message, cause, errors and enumerable properties of an error. A view keeps its own
 * bytes, not the buffer around them: two views of parts of one buffer come back with one buffer each. An accessor comes back as
 * its value. Refused: every other class, subclasses included, symbol keys, and enumerable properties that were added to an array,
 * a Map or the like. Not kept: properties that are not enumerable, those of a typed array, and the lastIndex of a RegExp.
 * @throws KeyStoreError INVALID_VALUE with the path to the value that cannot be kept
 */
export function encodeStructured(key: string, value: unknown): string {
  const errors = new Map<unknown, ErrorParts>();
  const invalid = (cause: unknown, path: string): KeyStoreError => {
    const what = `value${clip(path)} (${messageOf(cause)})`;
    const message = `The format "structured" cannot keep ${what}. Convert it, split it or leave it out.`;
    return new KeyStoreError("INVALID_VALUE", message, { key, cause });
  };

  const enter = (node: unknown) => contentsOf(node, errors);
  const isError = (node: unknown): boolean => errors.has(node);
  survey(value, enter, isError, invalid);
  try {
    const text = stringify(value, { Error: (node) => errors.get(node) }, { operations: { viewInfo } });
    if (text.length > MAX_TEXT) refuse(`more than ${MAX_TEXT} characters when encoded`);
    return text;
  } catch (cause) {
    throw invalid(cause, cause instanceof DevalueError ? cause.path : "");
  }
}

/**
 * A fresh value from untrusted text: only types of devalue's list and of `ERRORS` are made, nothing is assigned to
 * `__proto__`, and sizes are checked before devalue allocates anything. Some values are still dangerous to use: a slow RegExp,
 * a `javascript:` URL.
 * @throws KeyStoreError DECODE_FAILED
 */
export function decodeStructured(key: string, text: string): unknown {
  const failed = (cause: unknown, path = ""): KeyStoreError => {
    const why = `${messageOf(cause)}${path && ` at value${clip(path)}`}`;
    const message = `The stored payload is not a valid structured value (${why}). Store or delete the key.`;
    return new KeyStoreError("DECODE_FAILED", message, { key, cause });
  };

  try {
    if (text.length > MAX_TEXT) refuse(`more than ${MAX_TEXT} characters`);
    const entries = JSON.parse(text) as number | unknown[];
    // A number alone stands for undefined, NaN or the like. devalue refuses anything else.
    if (Array.isArray(entries)) {
      const enter = (index: unknown) => referencesOf(index, entries);
      const isError = (index: unknown): boolean => (entries[index as number] as unknown[] | null)?.[0] === "Error";
      survey(0, enter, isError, failed);
    }
    return unflatten(entries, { Error: errorReviver() });
  } catch (cause) {
    throw cause instanceof KeyStoreError ? cause : failed(cause);
  }
}
