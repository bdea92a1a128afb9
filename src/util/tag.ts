/** `[object Name]`: the kind of a value, of any realm. */
export function tagOf(value: unknown): string {
  return Object.prototype.toString.call(value);
}
