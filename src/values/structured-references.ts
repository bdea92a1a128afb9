import { isCount } from "../util/count.ts";
import { MAX_DIGITS } from "./structured-contents.ts";
import { MAX_PLACES, membersOf, propertiesOf, refuse, type Contents } from "./structured-survey.ts";

/** The codes that devalue writes instead of a reference. */
const UNDEFINED = -1;
const HOLE = -2;
const SPARSE = -7;
const CONSTANTS = new Set<unknown>([UNDEFINED, -3, -4, -5, -6]);

/** The types whose content is a string, each with a check of that string. */
const WRITTEN_OUT: Record<string, (text: string) => boolean> = {
  Date: (text) => text === "" || new Date(text).toISOString() === text,
  BigInt: (text) => text.length <= MAX_DIGITS + 1 && /^(?:0|-?[1-9]\d*)$/.test(text),
  ArrayBuffer: isBase64,
  RegExp: () => true,
  URL: () => true,
  URLSearchParams: () => true,
};

/** The references that devalue would resolve to make the entry at `index`. Refuses malformed entries that devalue accepts. */
export function referencesOf(index: unknown, entries: readonly unknown[]): Contents | undefined {
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
      // A view, perhaps with offset and length. devalue refuses unknown types.
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

/** Strict: decoders differ in the white space, padding and stray bits that they ignore. */
function isBase64(text: string): boolean {
  if (text === "") return true;
  return text.length % 4 === 0 && !/[^A-Za-z\d+/]/.test(text.slice(0, -4)) && BASE64_END.test(text.slice(-4));
}

const BASE64_END = /^[A-Za-z\d+/](?:[A-Za-z\d+/]{3}|[A-Za-z\d+/][AEIMQUYcgkosw048]=|[AQgw]==)$/;
