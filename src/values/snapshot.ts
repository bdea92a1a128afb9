import { parentOf, tagOf } from "../util/tag.ts";
import { converted } from "./to-json.ts";

/**
 * A copy of a value, for a write that cannot encode it in the call itself. Copies what a format keeps and what can change, of any
 * realm, with enumerable properties and prototypes: encoding accepts or refuses the copy as it does the value. Everything else
 * stays as it is: it cannot change, or encoding refuses it.
 * @param forJson copies each item inside the value as JSON.stringify sees it: what its toJSON method returns, and the objects of all classes
 */
export function snapshot<T>(value: T, forJson = false): T {
  const copies = new Map<object, object>();
  const copyOf: CopyOf = (source) => {
    if (typeof source !== "object" || source === null) return source;
    if (!copies.has(source)) copies.set(source, emptyCopy(source, copyOf, forJson));
    return copies.get(source);
  };

  const result = copyOf(value);
  // Visits the copies that it adds as well. Recursion would need a stack as deep as the value.
  for (const [source, copy] of copies) if (copy !== source) fill(copy as Properties, source as Contents, copyOf, forJson);
  return result as T;
}

type CopyOf = (source: unknown) => unknown;
/** Only a Map and a Set are iterated. */
type Contents = Properties & Iterable<readonly unknown[]>;
type Properties = Record<PropertyKey, unknown>;

function emptyCopy(source: object, copyOf: CopyOf, forJson: boolean): object {
  try {
    const tag = tagOf(source).slice(8, -1);
    const Class = (globalThis as unknown as Record<string, new (content?: unknown) => object>)[tag]!;
    if (ArrayBuffer.isView(source)) {
      const { buffer, byteOffset, byteLength } = source;
      // The bytes of the view alone, or the whole buffer, which other views may share.
      return new Class(byteLength === buffer.byteLength ? copyOf(buffer) : buffer.slice(byteOffset, byteOffset + byteLength));
    }
    // JSON.stringify knows a raw text by its identity.
    if ((JSON as { isRawJSON?: (item: object) => boolean }).isRawJSON?.(source)) return source;
    if (Array.isArray(source)) return Object.assign([], { length: source.length });
    if (/^(?:Shared)?ArrayBuffer$/.test(tag)) return (source as ArrayBuffer).slice(0);
    if (/^(?:Date|RegExp|URL|URLSearchParams)$/.test(tag)) return new Class(source);
    if (/^(?:Object|Map|Set|Error|DOMException)$/.test(tag)) return new Class();
    // A class of the app may have any tag. An object of the platform has a prototype that gives it away.
    if (forJson && !/^(?:Number|String|Boolean)$/.test(tag) && parentOf(parentOf(source)!) !== null) return {};
  } catch {
    // Bytes were transferred, or a proxy was revoked. Encoding throws the same error.
  }
  return source;
}

function fill(copy: Properties, source: Contents, copyOf: CopyOf, forJson: boolean): void {
  let name: PropertyKey = "";
  try {
    if (copy instanceof Map) for (const [key, item] of source) copy.set(copyOf(key), copyOf(item));
    if (copy instanceof Set) for (const item of source) copy.add(copyOf(item));
    for (name of namesIn(source, copy)) {
      const value = copyOf(forJson ? converted(source[name], name) : source[name]);
      // An assignment is faster, but would call the setter of a name like `__proto__`.
      if (name in copy) Object.defineProperty(copy, name, { value, enumerable: true });
      else copy[name] = value;
    }
    Object.setPrototypeOf(copy, parentOf(source));
    // The item is what a toJSON method has returned, on which JSON.stringify calls none.
    if (forJson && "toJSON" in copy && !Object.hasOwn(copy, "toJSON")) Object.defineProperty(copy, "toJSON", { value: undefined });
  } catch (cause) {
    // Encoding reports it.
    Object.defineProperty(copy, name, {
      get() {
        throw cause;
      },
      enumerable: true,
    });
  }
}

function namesIn(source: object, copy: object): PropertyKey[] {
  // A list of the names of all elements would take longer than everything else.
  if (ArrayBuffer.isView(source)) return [];
  const names = Reflect.ownKeys(source).filter((name) => Object.prototype.propertyIsEnumerable.call(source, name));
  // The parts of an error are not enumerable, or inherited.
  return copy instanceof Error ? ["name", "message", "cause", "errors", ...names].filter((name) => name in source) : names;
}
