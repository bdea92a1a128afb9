/** A JSON object of about 230 bytes, different for each number. */
export function payload(n: number): Record<string, unknown> {
  return {
    id: n,
    name: `User number ${n}`,
    email: `user-${n}@example.org`,
    roles: ["reader", "writer"],
    active: n % 2 === 0,
    visits: n * 7,
    address: { street: "12 Long Street", city: "Springfield", country: "US" },
    createdAt: "2024-05-06T07:08:09.012Z",
    note: "brown fox",
  };
}

/** `user:123` */
export function keyOf(n: number): string {
  return `user:${n}`;
}

/** Keys in groups of a hundred: `group:7:user:42`. */
export function groupedKey(n: number): string {
  return `group:${Math.floor(n / 100)}:user:${n % 100}`;
}

export function pairs(count: number, key: (n: number) => string = keyOf): [string, Record<string, unknown>][] {
  return Array.from({ length: count }, (_, n) => [key(n), payload(n)]);
}
