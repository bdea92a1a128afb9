import { KeyStoreError, messageOf } from "../util/errors.ts";

/**
 * The JSON text of a value. Refuses values that `JSON.stringify` would silently change or drop.
 * @throws KeyStoreError INVALID_VALUE with the path to the refused value
 */
export function encodeJson(key: string, value: unknown): string {
  // The objects from the root to the one being written, and the name of each in the one before.
  const holders: unknown[] = [];
  const names: string[] = [];

  const refuse = (what: string, path: string, cause?: unknown): KeyStoreError => {
    const message = `${path} is ${what}, which JSON cannot keep. Use the format "structured" or "binary", or convert it first.`;
    return new KeyStoreError("INVALID_VALUE", message, { key, cause });
  };

  try {
    const text = JSON.stringify(value, function (this: unknown, name: string, item: unknown) {
      // JSON.stringify goes depth first: the objects after the present holder are finished.
      while (holders.length > 0 && holders.at(-1) !== this) {
        holders.pop();
        names.pop();
      }
      if (holders.length === 0) holders.push(this);
      const what = unkeepable(item, Array.isArray(this));
      if (what !== undefined) throw refuse(what, pathOf([...names, name]));
      if (typeof item === "object" && item !== null) {
        holders.push(item);
        names.push(name);
      }
      return item;
    });
    if (text === undefined) throw refuse("undefined", "value");
    return text;
  } catch (error) {
    if (error instanceof KeyStoreError) throw error;
    // A cycle, a toJSON or getter that threw, or nesting deeper than the stack.
    throw refuse(`not serializable (${messageOf(error)})`, pathOf(names), error);
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

const CHANGED_BY_JSON = /^\[object (?:Map|Set|WeakMap|WeakSet|ArrayBuffer|SharedArrayBuffer|Blob|File|Promise)\]$/;

function unkeepable(item: unknown, inArray: boolean): string | undefined {
  switch (typeof item) {
    case "undefined":
      return inArray ? "undefined" : undefined;
    case "number":
      return Number.isFinite(item) ? undefined : String(item);
    case "bigint":
    case "function":
    case "symbol":
      return `a ${typeof item}`;
    case "object": {
      if (item === null || Array.isArray(item)) return undefined;
      if (ArrayBuffer.isView(item)) return "a typed array or DataView";
      const tag = Object.prototype.toString.call(item);
      if (tag === "[object Number]") return unkeepable(Number(item), inArray);
      return CHANGED_BY_JSON.test(tag) ? `a ${tag.slice(8, -1)}` : undefined;
    }
    default:
      return undefined;
  }
}

/** `["", "users", "0", "first name"]` → `value.users[0]["first name"]` */
function pathOf(names: readonly string[]): string {
  let path = "value";
  for (const name of names.slice(1)) {
    path += /^\d+$/.test(name)
      ? `[${name}]`
      : /^[\p{ID_Start}_$][\p{ID_Continue}$]*$/u.test(name)
        ? `.${name}`
        : `[${JSON.stringify(name)}]`;
  }
  return path;
}
