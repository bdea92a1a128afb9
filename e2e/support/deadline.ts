/** Longer than any call of a test takes on a slow machine. */
export const LONG_MS = 60_000;

/** Settles as the promise does, or rejects with the message after `ms`. Only a promise that never settles waits this long. */
export async function withDeadline<T>(promise: Promise<T>, message: () => string, ms = LONG_MS): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`${message()} (after ${ms} ms)`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
