/** `[object Name]`: the kind of a value, of any realm. */
export function tagOf(value: unknown): string {
  return Object.prototype.toString.call(value);
}

/** The prototype of an object or of a prototype. */
export function parentOf(item: object): object | null {
  return Object.getPrototypeOf(item) as object | null;
}
