import { KeyStoreError, messageOf } from "../util/errors.ts";
import { isPlainData, tagOf } from "./plain-data.ts";

/**
 * The JSON text of a value. Refuses values that `JSON.stringify` would silently change, empty or drop.
 * @throws KeyStoreError INVALID_VALUE with the path to the refused value
 */
export function encodeJson(key: string, value: unknown): string {
  const path: Level[] = [];
  try {
    // A copy has what was checked: each getter and each toJSON method runs once.
    return JSON.stringify(plainCopy(value, path));
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

/** @throws KeyStoreError DECODE_FAILED */
export function decodeJson(key: string, text: string): unknown {
  try {
    // JSON.parse defines `__proto__` as an own property, it never assigns it.
    return JSON.parse(text);
  } catch (cause) {
    throw new KeyStoreError("DECODE_FAILED", "The stored payload is not valid JSON. Store or delete the key.", { key, cause });
  }
}

const MAX_PATH = 200;

/** Completes the sentence "The value is …, which JSON cannot keep". */
class Unkeepable extends Error {}

/** An array or object that is being copied. */
interface Level {
  readonly source: Readonly<Record<string | number, unknown>>;
  readonly copy: Record<string | number, unknown>;
  /** undefined: an array. */
  readonly names: readonly string[] | undefined;
  readonly count: number;
  /** How many items have been copied or begun. The last one is on the path. */
  begun: number;
  isOpen: boolean;
}

/**
 * A copy of plain arrays, objects and primitives, which JSON.stringify writes as it would write the value.
 * Goes depth first, with a list instead of recursion: deep values need no stack.
 * @param path has the levels from the root to the present item, also after an error
 */
function plainCopy(value: unknown, path: Level[]): unknown {
  const root = levelOf({ "": value });
  const levels = new Map<unknown, Level>();
  path.push(root);
  for (let level = path.at(-1); level !== undefined; level = path.at(-1)) {
    if (level.begun === level.count) {
      level.isOpen = false;
      path.pop();
      continue;
    }
    const name = level.names?.[level.begun] ?? level.begun;
    level.begun++;
    const item = checked(converted(level.source[name], name));
    if (typeof item !== "object" || item === null) {
      if (item !== undefined) define(level.copy, name, item);
      else if (level.names === undefined || level === root) throw new Unkeepable("undefined");
      continue;
    }
    let next = levels.get(item);
    if (next === undefined) {
      levels.set(item, (next = levelOf(item)));
      path.push(next);
    } else if (next.isOpen) throw new Unkeepable("a cycle");
    define(level.copy, name, next.copy);
  }
  return root.copy[""];
}

function levelOf(source: object): Level {
  const isArray = Array.isArray(source);
  const names = Object.keys(source);
  // The names of an array begin with its indices. A hole is refused as undefined.
  if (isArray && names.length > source.length) throw new Unkeepable("an array with named properties");
  const isEnumerable = (symbol: symbol): boolean => Object.prototype.propertyIsEnumerable.call(source, symbol);
  if (Object.getOwnPropertySymbols(source).some(isEnumerable)) throw new Unkeepable("an object with symbol keys");
  return {
    source: source as Level["source"],
    copy: (isArray ? [] : {}) as Level["copy"],
    names: isArray ? undefined : names,
    count: isArray ? source.length : names.length,
    begun: 0,
    isOpen: true,
  };
}

/** What JSON.stringify writes in place of an item that has a toJSON method. */
function converted(item: unknown, name: string | number): unknown {
  if (item === null || (typeof item !== "object" && typeof item !== "function" && typeof item !== "bigint")) return item;
  const { toJSON } = item as { toJSON?: unknown };
  if (typeof toJSON !== "function") return item;
  const result: unknown = toJSON.call(item, String(name));
  if (result === null && tagOf(item) === "[object Date]") throw new Unkeepable("an invalid Date");
  return result;
}

/** The item, or the primitive that it boxes. */
function checked(item: unknown): unknown {
  switch (typeof item) {
    case "string":
    case "boolean":
    case "undefined":
      return item;
    case "number":
      if (Number.isFinite(item)) return item;
      throw new Unkeepable(String(item));
    case "object":
      if (item === null || Array.isArray(item) || isPlainData(item)) return item;
      if (/^\[object (?:Number|String|Boolean)\]$/.test(tagOf(item))) return checked(item.valueOf());
      throw new Unkeepable(`an object of type ${tagOf(item).slice(8, -1)}`);
    default:
      throw new Unkeepable(`a ${typeof item}`);
  }
}

function define(copy: Level["copy"], name: string | number, value: unknown): void {
  // An assignment to this name would set the prototype.
  if (name === "__proto__") Object.defineProperty(copy, name, { value, enumerable: true });
  else copy[name] = value;
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
