import { KeyStoreError, messageOf } from "../util/errors.ts";
import { tagOf } from "../util/tag.ts";
import { isPlainData } from "./plain-data.ts";
import { converted } from "./to-json.ts";

/**
 * The JSON text of a value. Refuses values that `JSON.stringify` would silently change, empty or drop.
 * @param holder has the value under the name ""
 * @throws KeyStoreError INVALID_VALUE with the path to the refused value
 */
export function encodeJson(key: string, holder: { readonly "": unknown }): string {
  const path: Level[] = [];
  try {
    check(holder, path);
    return JSON.stringify(holder[""]);
  } catch (cause) {
    const reason = messageOf(cause);
    const problem =
      cause instanceof Unkeepable
        ? `is ${reason}, which JSON cannot keep. Convert it first. The format "structured" keeps more types, "binary" keeps bytes.`
        : path.length > 0
          ? `cannot be read (${reason}). Correct the getter or the toJSON method that failed.`
          : `is too large or nested too deeply for JSON.stringify (${reason}). Store it in parts.`;
    throw new KeyStoreError("INVALID_VALUE", `${textOf(path)} ${problem}`, { key, cause });
  }
}

const MAX_PATH = 200;

/** Completes the sentence "The value is …, which JSON cannot keep". */
class Unkeepable extends Error {}

/** An array or object whose items are being checked. */
interface Level {
  readonly source: Readonly<Record<string | number, unknown>>;
  /** undefined: an array. */
  readonly names: readonly string[] | undefined;
  readonly count: number;
  /** How many items have been checked or begun. The last one is on the path. */
  begun: number;
}

/**
 * Checks that JSON.stringify keeps the value. Goes depth first, with a list instead of recursion: deep values need no stack.
 * @param path has the levels from the root to the present item, also after an error
 */
function check(holder: object, path: Level[]): void {
  const open = new Set<unknown>();
  path.push(levelOf(holder));
  for (let level = path[0]; level !== undefined; level = path.at(-1)) {
    if (level.begun === level.count) {
      open.delete(level.source);
      path.pop();
      continue;
    }
    const name = level.names?.[level.begun] ?? level.begun;
    level.begun++;
    const item = converted(level.source[name], name);
    if (typeof item !== "object" || item === null) {
      // JSON drops an undefined property. In an array, or alone, it would become something else.
      if (item !== undefined || level.names === undefined || path.length === 1) checkPrimitive(item);
    } else if (Array.isArray(item) || isPlainData(item)) {
      if (open.has(item)) throw new Unkeepable("a cycle");
      open.add(item);
      path.push(levelOf(item));
    } else if (/^\[object (?:Number|String|Boolean)\]$/.test(tagOf(item))) checkPrimitive(item.valueOf());
    else if (Number.isNaN(timeOf(item))) throw new Unkeepable("an invalid Date");
    else throw new Unkeepable(`an object of type ${tagOf(item).slice(8, -1)}`);
  }
}

function levelOf(source: object): Level {
  const isArray = Array.isArray(source);
  const names = Object.keys(source);
  // The names of an array begin with its indices. A hole is refused as undefined.
  if (isArray && names.length > source.length) throw new Unkeepable("an array with named properties");
  const isEnumerable = (symbol: symbol): boolean => Object.prototype.propertyIsEnumerable.call(source, symbol);
  if (Object.getOwnPropertySymbols(source).some(isEnumerable)) throw new Unkeepable("an object with symbol keys");
  const count = isArray ? source.length : names.length;
  return { source: source as Level["source"], names: isArray ? undefined : names, count, begun: 0 };
}

function timeOf(item: object): number | undefined {
  return tagOf(item) === "[object Date]" ? Number(item) : undefined;
}

function checkPrimitive(item: unknown): void {
  if (item === null || typeof item === "string" || typeof item === "boolean" || Number.isFinite(item)) return;
  throw new Unkeepable(typeof item === "number" || item === undefined ? String(item) : `a ${typeof item}`);
}

/** `value.users[0]["first name"]`, without its middle where it is long. */
function textOf(path: readonly Level[]): string {
  const steps = path.slice(1).map(({ names, begun }) => {
    const name = names?.[begun - 1] ?? String(begun - 1);
    if (/^\d+$/.test(name)) return `[${name}]`;
    return /^[\p{ID_Start}_$][\p{ID_Continue}$]*$/u.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`;
  });
  const text = `value${steps.join("")}`;
  return text.length <= MAX_PATH ? text : `${text.slice(0, MAX_PATH / 2)}…${text.slice(-MAX_PATH / 2)}`;
}
