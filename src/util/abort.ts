/** The outcome of the promise, or the outcome of `onAbort` as soon as the signal is aborted. */
export function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined, onAbort: () => T): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    // A promise takes the error that `onAbort` may throw.
    const abort = (): void => resolve(new Promise((settle) => settle(onAbort())));
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    promise.finally(() => signal.removeEventListener("abort", abort)).then(resolve, reject);
  });
}

/** Runs the work. @throws the signal's reason as soon as it is aborted */
export function abortable<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  signal?.throwIfAborted();
  return unlessAborted(work(), signal, () => {
    throw signal?.reason;
  });
}
