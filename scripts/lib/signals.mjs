/** How a user or a parent asks us to end. */
const signals = /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"]);

/**
 * Calls back once when we are to end: by a signal, or because who started us is gone. That happens without a signal:
 * npm hands a SIGTERM to its shell, and the shell dies of it without a word to us.
 * @param {(signal: NodeJS.Signals) => void} callback
 * @returns {() => void} stops listening
 */
export function onAskedToEnd(callback) {
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid !== parent) asked("SIGTERM");
  }, 200);
  watch.unref();

  const asked = (/** @type {NodeJS.Signals} */ signal) => {
    clearInterval(watch);
    callback(signal);
  };
  for (const signal of signals) process.on(signal, asked);
  return () => {
    clearInterval(watch);
    for (const signal of signals) process.off(signal, asked);
  };
}
