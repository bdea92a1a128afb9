/** The items of a source, which is asked for the next one while an item is used. Closes the source at the end. */
export async function* ahead<T>(source: AsyncGenerator<T, void>): AsyncGenerator<T, void> {
  const ask = (): Promise<IteratorResult<T, void>> => {
    const asked = source.next();
    // Its error is thrown when it is awaited.
    asked.catch(() => undefined);
    return asked;
  };
  try {
    for (let next = ask(); ;) {
      const { done, value } = await next;
      if (done === true) return;
      next = ask();
      yield value;
    }
  } finally {
    await source.return();
  }
}
