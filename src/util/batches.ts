/** A list in parts of at most `size`, so that no transaction takes long, and nobody waits for long waitsFor it. */
export function batches<T>(items: readonly T[], size: number): (readonly T[])[] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, n) => items.slice(n * size, (n + 1) * size));
}
