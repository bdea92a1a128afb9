import { DevalueError, stringify, unflatten } from "devalue";
import type { StringifyOperations } from "devalue";
import { KeyStoreError, messageOf } from "../util/errors.ts";
import { isCount } from "../util/count.ts";

/** Objects within objects; devalue recurses that deep. */
const MAX_DEPTH = 500;
/** Values in all, counted once for each place that holds them; the holes of an array are places too. */
const MAX_PLACES = 1_000_000;
/** UTF-16 code units of text. */
const MAX_TEXT = 64 * 1024 * 1024;
/** Decimal digits of one BigInt: reading them takes more than linear time. */
const MAX_DIGITS = 10_000;

/**
 * Text of a value, by devalue. Kept exactly: what JSON keeps, undefined, NaN, ±Infinity, -0, BigInt, Date,
 * Map, Set, RegExp, URL, URLSearchParams, ArrayBuffer, typed arrays, DataView, boxed primitives, sparse
 * arrays, cycles, shared references, objects without a prototype, and of errors name, message, cause, errors.
 * Of a view its own bytes are kept, not the buffer around them: two views of parts of one buffer come back
 * with one each. Not kept: a RegExp's lastIndex, and properties added to an array, a Map, an error …
 * @throws KeyStoreError INVALID_VALUE with the path to the culprit
 */
export function encodeStructured(key: string, value: unknown): string {
  const errors = new Map<unknown, ErrorParts>();
  const invalid = (cause: unknown, path: string): KeyStoreError => {
    const what = `value${clip(path)} (${clip(messageOf(cause))})`;
    const message = `The structured format cannot keep ${what}: convert it, split it or leave it out.`;
    return new KeyStoreError("INVALID_VALUE", message, { key, cause });
  };

  survey(
    value,
    (node) => contentsOf(node, errors),
    (node) => errors.has(node),
    invalid,
  );
  try {
    const text = stringify(value, { Error: (node) => errors.get(node) }, { operations: { viewInfo } });
    if (text.length > MAX_TEXT) refuse(`more than ${MAX_TEXT} characters when encoded`);
    return text;
  } catch (cause) {
    throw invalid(cause, cause instanceof DevalueError ? cause.path : "");
  }
}

/**
 * A fresh value from text that may come from anyone: no type outside devalue's list and `ERRORS` is made,
 * nothing is assigned to `__proto__`, and what the text claims is bounded before devalue believes it.
 * What stays are values that are dangerous to use: a RegExp that takes for ever, a `javascript:` URL.
 * @throws KeyStoreError DECODE_FAILED
 */
export function decodeStructured(key: string, text: string): unknown {
  const failed = (cause: unknown, path = ""): KeyStoreError => {
    const why = `${clip(messageOf(cause))}${path && ` at value${clip(path)}`}`;
    const message = `The stored payload is no structured value (${why}): store the key anew.`;
    return new KeyStoreError("DECODE_FAILED", message, { key, cause });
  };

  try {
    if (text.length > MAX_TEXT) refuse(`more than ${MAX_TEXT} characters`);
    const entries = JSON.parse(text) as number | unknown[];
    // A number alone is undefined, NaN …; devalue refuses what is neither.
    if (Array.isArray(entries)) {
      const typeOf = (index: unknown): unknown => (entries[index as number] as unknown[] | null)?.[0];
      survey(
        0,
        (index) => referencesOf(index, entries),
        (index) => typeOf(index) === "Error",
        failed,
      );
    }
    return unflatten(entries, { Error: reviveError });
  } catch (cause) {
    throw cause instanceof KeyStoreError ? cause : failed(cause);
  }
}

// ---- Both ways: an iterative walk ahead of devalue's recursive one

/** What a node holds, each with the step that leads to it, left out where devalue's paths have none. */
type Contents = Iterable<readonly [node: unknown, step?: Step]>;
type Step = string | number | { readonly mapKey: unknown };

/**
 * Visits all that can be reached from `root`, and refuses what is too much. Must go depth first in devalue's
 * order: then the trail is as long as devalue's recursion is deep, and holds what devalue has yet to finish.
 * @param enter checks a node at its first visit; undefined: it holds nothing
 */
function survey(
  root: unknown,
  enter: (node: unknown) => Contents | undefined,
  isError: (node: unknown) => boolean,
  failure: (cause: unknown, path: string) => KeyStoreError,
): void {
  const seen = new Set<unknown>();
  const trail = [new Visit(undefined, [[root]])];
  let places = 0;
  try {
    for (let here = trail.at(-1); here !== undefined; here = trail.at(-1)) {
      const next = here.next();
      if (next === undefined) {
        trail.pop();
        continue;
      }
      const [node] = next;
      if (++places > MAX_PLACES) refuse(`more than ${MAX_PLACES} values`);
      if (seen.has(node)) {
        // An error is made after its parts, so that it cannot be one of them.
        const isOpen = (): boolean => trail.some((visit) => visit.node === node);
        if (isError(node) && isOpen()) refuse("an error that contains itself");
        continue;
      }
      seen.add(node);
      const contents = enter(node);
      if (contents === undefined) continue;
      if (trail.length > MAX_DEPTH) refuse(`nested deeper than ${MAX_DEPTH} levels`);
      trail.push(new Visit(node, contents));
    }
  } catch (cause) {
    throw failure(cause, trail.map((visit) => format(visit.step)).join(""));
  }
}

class Visit {
  readonly node: unknown;
  /** Towards what is being visited of the contents; none while it is being read. */
  step: Step | undefined;
  readonly #contents: Iterator<readonly [unknown, Step?]>;

  constructor(node: unknown, contents: Contents) {
    this.node = node;
    this.#contents = contents[Symbol.iterator]();
  }

  next(): readonly [node: unknown, step?: Step] | undefined {
    this.step = undefined;
    const { done, value } = this.#contents.next();
    if (done === true) return undefined;
    this.step = value[1];
    return value;
  }
}

/** As devalue does: `.users[0]["first name"].get("a")`. */
function format(step: Step | undefined): string {
  if (step === undefined) return "";
  if (typeof step === "number") return `[${step}]`;
  if (typeof step === "object") {
    return `.get(${typeof step.mapKey === "string" ? JSON.stringify(step.mapKey) : "..."})`;
  }
  return /^[a-z_$][\w$]*$/i.test(step) ? `.${step}` : `[${JSON.stringify(step)}]`;
}

function clip(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}

function refuse(why: string): never {
  throw new TypeError(why);
}

function* propertiesOf(object: object): Contents {
  for (const name of Object.keys(object)) yield [(object as Record<string, unknown>)[name], name];
}

function* membersOf(members: Iterable<unknown>): Contents {
  for (const member of members) yield [member];
}

// ---- Encoding

const BIGINT_LIMIT = 10n ** BigInt(MAX_DIGITS);

/** @param errors takes the parts of each error, for devalue to write them in its stead */
function contentsOf(value: unknown, errors: Map<unknown, ErrorParts>): Contents | undefined {
  if (typeof value === "function" || typeof value === "symbol") refuse(`a ${typeof value}`);
  if (typeof value === "bigint" && (value >= BIGINT_LIMIT || value <= -BIGINT_LIMIT)) {
    refuse(`a BigInt of more than ${MAX_DIGITS} digits`);
  }
  if (typeof value !== "object" || value === null) return undefined;
  if (ArrayBuffer.isView(value)) return [[value.buffer, "buffer"]];

  const tag = Object.prototype.toString.call(value).slice(8, -1);
  const className = classNameOf(value);
  if (Object.hasOwn(ERRORS, className) && (tag === "Error" || tag === className)) {
    const parts = partsOf(value as Error, className);
    errors.set(value, parts);
    return [[parts]];
  }
  // A tag alone can be forged, and an instance of a subclass would come back without its class.
  if (tag !== className) refuse(`an instance of ${className || "an unknown class"}`);
  switch (tag) {
    case "Object":
      return propertiesOf(value);
    case "Array":
      return elementsOf(value as unknown[]);
    case "Map":
      return entriesOf(value as Map<unknown, unknown>);
    case "Set":
      return membersOf(value as Set<unknown>);
    case "Number":
    case "String":
    case "Boolean":
    case "BigInt":
      return [[value.valueOf()]];
    case "ArrayBuffer":
      // Throws if its bytes have been transferred to elsewhere.
      return void new Uint8Array(value as ArrayBuffer);
    case "Date":
    case "RegExp":
    case "URL":
    case "URLSearchParams":
      return undefined;
    default:
      return refuse(`an instance of ${tag}`);
  }
}

function classNameOf(value: object): string {
  const prototype = Object.getPrototypeOf(value) as { constructor?: { name?: unknown } } | null;
  const name = prototype === null ? "Object" : prototype.constructor?.name;
  return typeof name === "string" ? name : "";
}

/** Holes are visited as well: they count. */
function* elementsOf(array: readonly unknown[]): Contents {
  for (let i = 0; i < array.length; i++) yield [array[i], i];
}

function* entriesOf(map: ReadonlyMap<unknown, unknown>): Contents {
  for (const [mapKey, value] of map) {
    const step = { mapKey };
    yield [mapKey, step];
    yield [value, step];
  }
}

type ViewInfo = ReturnType<StringifyOperations["viewInfo"]>;

/** Shows devalue a view as one of a whole buffer, so that it writes no bytes around the view's own. */
function viewInfo({ buffer, byteOffset, byteLength }: ArrayBufferView): ViewInfo {
  const own = byteLength === buffer.byteLength ? buffer : buffer.slice(byteOffset, byteOffset + byteLength);
  return { buffer: own, byteOffset: 0, byteLength, bufferByteLength: byteLength };
}

// ---- Decoding

/** What devalue writes in the place of a reference. */
const UNDEFINED = -1;
const HOLE = -2;
const SPARSE = -7;
const CONSTANTS = new Set<unknown>([UNDEFINED, -3, -4, -5, -6]);

/** The types whose content is a string, and what that must be like. */
const WRITTEN_OUT: Record<string, (text: string) => boolean> = {
  Date: (text) => text === "" || new Date(text).toISOString() === text,
  BigInt: (text) => text.length <= MAX_DIGITS + 1 && /^(?:0|-?[1-9]\d*)$/.test(text),
  ArrayBuffer: isBase64,
  RegExp: () => true,
  URL: () => true,
  URLSearchParams: () => true,
};

/** What devalue would resolve to reach the entry at `index`; refuses what devalue is too lenient with. */
function referencesOf(index: unknown, entries: readonly unknown[]): Contents | undefined {
  if (CONSTANTS.has(index)) return undefined;
  if (!isCount(index) || index >= entries.length) refuse("a reference to nowhere");
  const entry = entries[index];
  if (typeof entry !== "object" || entry === null) return undefined;
  if (!Array.isArray(entry)) return propertiesOf(entry);

  const [type, content, flags] = entry as unknown[];
  if (type === SPARSE) return sparseReferencesOf(entry);
  if (typeof type !== "string") return denseReferencesOf(entry);
  if (Object.hasOwn(WRITTEN_OUT, type)) {
    const isWellFormed = typeof content === "string" && WRITTEN_OUT[type]!(content);
    // A RegExp may have flags.
    if (!isWellFormed || typeof (flags ?? "") !== "string") refuse(`a malformed ${type}`);
    return undefined;
  }
  switch (type) {
    case "Set":
    case "Map":
      return membersOf(entry.slice(1));
    case "null":
      return membersOf(entry.filter((_, i) => i > 0 && i % 2 === 0));
    case "Object":
    case "Error":
      return [[content]];
    default:
      // A view, perhaps with offset and length; if it is none, devalue does not know it.
      if (!entry.slice(2).every(isCount)) refuse(`a malformed ${type}`);
      return [[content, "buffer"]];
  }
}

function* denseReferencesOf(entry: readonly unknown[]): Contents {
  for (const [i, reference] of entry.entries()) yield [reference === HOLE ? UNDEFINED : reference, i];
}

/** `[SPARSE, length, index, reference, index, reference …]` */
function* sparseReferencesOf(entry: readonly unknown[]): Contents {
  const holes = Number(entry[1]) - (entry.length - 2) / 2;
  if (holes > MAX_PLACES) refuse(`more than ${MAX_PLACES} values`);
  for (let i = 0; i < holes; i++) yield [UNDEFINED];
  for (let i = 2; i < entry.length; i += 2) yield [entry[i + 1], Number(entry[i])];
}

/** Decoders differ in what they overlook (white space, padding, stray bits): here nothing is overlooked. */
function isBase64(text: string): boolean {
  if (text === "") return true;
  return text.length % 4 === 0 && !/[^A-Za-z\d+/]/.test(text.slice(0, -4)) && BASE64_END.test(text.slice(-4));
}

const BASE64_END = /^[A-Za-z\d+/](?:[A-Za-z\d+/]{3}|[A-Za-z\d+/][AEIMQUYcgkosw048]=|[AQgw]==)$/;

// ---- Errors

/** What is kept of an error. Its stack is not: it tells of the machine it was made on. */
interface ErrorParts {
  type: string;
  name: string;
  message: string;
  cause?: unknown;
  errors?: unknown;
}

/** The only constructors that data can name. The parts double as the options, for their `cause`. */
const ERRORS: Record<string, (parts: ErrorParts) => Error> = {
  Error: (parts) => new Error(parts.message, parts),
  EvalError: (parts) => new EvalError(parts.message, parts),
  RangeError: (parts) => new RangeError(parts.message, parts),
  ReferenceError: (parts) => new ReferenceError(parts.message, parts),
  SyntaxError: (parts) => new SyntaxError(parts.message, parts),
  TypeError: (parts) => new TypeError(parts.message, parts),
  URIError: (parts) => new URIError(parts.message, parts),
  // Must not copy its errors: text can claim the same million of them for each of a million AggregateErrors.
  AggregateError: (parts) => Object.assign(new AggregateError([], parts.message, parts), { errors: parts.errors }),
  DOMException: (parts) => new DOMException(parts.message, parts.name),
};

function partsOf(error: Error, type: string): ErrorParts {
  const parts: ErrorParts = { type, name: String(error.name), message: String(error.message) };
  if (Object.hasOwn(error, "cause")) parts.cause = error.cause;
  if (type === "AggregateError") parts.errors = (error as AggregateError).errors;
  if (!isErrorParts(parts)) refuse("an AggregateError without a list of errors");
  return parts;
}

function reviveError(parts: unknown): Error {
  if (!isErrorParts(parts)) refuse("a malformed Error");
  const error = ERRORS[parts.type]!(parts);
  if (error.name !== parts.name) error.name = parts.name;
  return error;
}

function isErrorParts(parts: unknown): parts is ErrorParts {
  const { type, name, message, errors } = Object(parts) as Partial<Record<keyof ErrorParts, unknown>>;
  if (typeof type !== "string" || typeof name !== "string" || typeof message !== "string") return false;
  return Object.hasOwn(ERRORS, type) && Array.isArray(errors) === (type === "AggregateError");
}
