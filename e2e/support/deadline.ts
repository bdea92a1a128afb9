/** Settles as the promise does, or rejects with the message after `ms`. Only a promise that never settles waits this long. */
export async function withDeadline<T>(promise: Promise<T>, message: () => string, ms = 60_000): Promise<T> {
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
