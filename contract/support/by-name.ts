/** Resolves to the results of several promises under the names of the promises. */
export async function byName<Promises extends Readonly<Record<string, Promise<unknown>>>>(
  promises: Promises,
): Promise<{ -readonly [Name in keyof Promises]: Awaited<Promises[Name]> }> {
  const results = await Promise.all(Object.entries(promises).map(async ([name, promise]) => [name, await promise] as const));
  return Object.fromEntries(results) as { -readonly [Name in keyof Promises]: Awaited<Promises[Name]> };
}
