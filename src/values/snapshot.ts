/**
 * A copy of a value, for a write that cannot encode it in the call itself. Copies plain objects, arrays, maps, sets, dates and
 * bytes, cycles included. Everything else stays as it is: it cannot change, or encoding refuses it later.
 */
export function snapshot<T>(value: T): T {
  try {
    return copyAll(value);
  } catch {
    // A getter threw, or bytes were transferred. Encoding throws the same error later.
    return value;
  }
}

function copyAll<T>(value: T): T {
  const copies = new Map<unknown, unknown>();
  // A list instead of recursion: deep values need no stack.
  const unfilled: [source: object, copy: object][] = [];

  const copyOf = (source: unknown): unknown => {
    if (typeof source !== "object" || source === null) return source;
    if (!copies.has(source)) {
      const copy = emptyCopy(source);
      copies.set(source, copy);
      if (copy !== source) unfilled.push([source, copy]);
    }
    return copies.get(source);
  };

  const result = copyOf(value);
  for (let next = unfilled.pop(); next !== undefined; next = unfilled.pop()) {
    const [source, copy] = next;
    if (source instanceof Map) {
      for (const [key, item] of source) (copy as Map<unknown, unknown>).set(copyOf(key), copyOf(item));
    } else if (source instanceof Set) {
      for (const item of source) (copy as Set<unknown>).add(copyOf(item));
    } else if (Array.isArray(source) || isPlain(source)) {
      for (const name of Reflect.ownKeys(source)) {
        // No format keeps the others.
        if (!Object.prototype.propertyIsEnumerable.call(source, name)) continue;
        // Reads a getter now. Unlike an assignment, a definition is safe with a name like `__proto__`.
        const value = copyOf(Reflect.get(source, name));
        Object.defineProperty(copy, name, { value, enumerable: true, writable: true, configurable: true });
      }
    }
  }
  return result as T;
}

function emptyCopy(source: object): object {
  if (Array.isArray(source)) return Object.assign([], { length: source.length });
  if (source instanceof Map) return new Map();
  if (source instanceof Set) return new Set();
  if (source instanceof Date) return new Date(source.getTime());
  if (source instanceof ArrayBuffer) return source.slice(0);
  if (ArrayBuffer.isView(source)) {
    const View = source.constructor as new (buffer: ArrayBufferLike) => object;
    // The bytes of the view alone, not the whole buffer.
    return new View(source.buffer.slice(source.byteOffset, source.byteOffset + source.byteLength));
  }
  return isPlain(source) ? (Object.create(Object.getPrototypeOf(source)) as object) : source;
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}
