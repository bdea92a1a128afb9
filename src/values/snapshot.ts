/**
 * A copy of what a caller can still change while a write waits for something (the module of a format, or the format
 * itself): plain objects, arrays, maps, sets, dates and bytes, cycles included. Everything else is kept as it is:
 * it either cannot change or is refused later, with the same words as without the wait.
 */
export function snapshot<T>(value: T): T {
  try {
    return copyAll(value);
  } catch {
    // A getter that throws, bytes that were transferred: cannot be stored either, which is said where that is tried.
    return value;
  }
}

function copyAll<T>(value: T): T {
  const copies = new Map<unknown, unknown>();
  // Filled from a list instead of by recursion: depth costs no stack.
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
        const descriptor = Object.getOwnPropertyDescriptor(source, name);
        if (descriptor === undefined || (Array.isArray(source) && name === "length")) continue;
        // A getter is read now; defining, unlike assigning, is safe with a name like `__proto__`.
        Object.defineProperty(copy, name, {
          value: copyOf(Reflect.get(source, name)),
          enumerable: descriptor.enumerable ?? false,
          writable: true,
          configurable: true,
        });
      }
    }
  }
  return result as T;
}

function emptyCopy(source: object): object {
  if (Array.isArray(source)) {
    const copy: unknown[] = [];
    copy.length = source.length;
    return copy;
  }
  if (source instanceof Map) return new Map();
  if (source instanceof Set) return new Set();
  if (source instanceof Date) return new Date(source.getTime());
  if (source instanceof ArrayBuffer) return source.slice(0);
  if (ArrayBuffer.isView(source)) return copyOfView(source);
  return isPlain(source) ? (Object.create(Object.getPrototypeOf(source)) as object) : source;
}

/** The bytes of the view alone, not of the whole buffer that it lies on. */
function copyOfView(view: ArrayBufferView): object {
  const { buffer, byteOffset, byteLength } = view;
  const bytes = buffer.slice(byteOffset, byteOffset + byteLength);
  const View = view.constructor as new (buffer: ArrayBufferLike) => object;
  return new View(bytes);
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}
