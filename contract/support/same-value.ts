import { assert } from "chai";

/**
 * Fails unless two values are equal in everything that the format "structured" keeps: classes, enumerable properties, the contents
 * of collections and bytes, the parts of errors, and which references are the same.
 */
export function assertSameValue(actual: unknown, expected: unknown, what: string): void {
  const partners = new Map<unknown, unknown>();

  const compare = (a: unknown, b: unknown, path: string): void => {
    if (!isObject(a) || !isObject(b)) return assert.isTrue(Object.is(a, b), `${path} is ${String(a)}, not ${String(b)}`);
    if (partners.has(b)) return assert.strictEqual(partners.get(b), a, `${path} is another reference`);
    partners.set(b, a);
    assert.strictEqual(Object.getPrototypeOf(a), Object.getPrototypeOf(b), `the prototype of ${path}`);
    assert.deepEqual(textOf(a), textOf(b), path);
    const [inA, inB] = [contentsOf(a), contentsOf(b)];
    assert.deepEqual(
      inA.map(([name]) => name),
      inB.map(([name]) => name),
      `the contents of ${path}`,
    );
    for (const [index, [name, item]] of inB.entries()) compare(inA[index]![1], item, `${path}.${String(name)}`);
  };

  compare(actual, expected, what);
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** The part of a value that a string shows. */
function textOf(value: object): string {
  if (value instanceof Date) return String(value.getTime());
  if (value instanceof ArrayBuffer) return new Uint8Array(value).join();
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength).join();
  if (Array.isArray(value)) return String(value.length);
  const Class = [RegExp, URL, URLSearchParams, Number, String, Boolean, BigInt].find((Class) => value instanceof Class);
  return Class === undefined ? "" : Class.prototype.toString.call<object, [], string>(value);
}

function contentsOf(value: object): [name: unknown, item: unknown][] {
  if (ArrayBuffer.isView(value)) return [];
  if (value instanceof Map)
    return [...value].flatMap(([key, item], index) => [
      [`key ${index}`, key],
      [`value ${index}`, item],
    ]);
  if (value instanceof Set) return [...value].map((item, index) => [index, item]);
  const names = value instanceof Error ? ["name", "message", "cause", "errors"].filter((name) => name in value) : [];
  return [...new Set([...names, ...Object.keys(value)])].map((name) => [name, Reflect.get(value, name)]);
}
