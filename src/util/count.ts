/** Whether something from outside is a whole number that counts something: sizes, versions, indices. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
