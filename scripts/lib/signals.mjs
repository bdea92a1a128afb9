/** The signals with which a user or a parent process ends this process. */
const signals = /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"]);

/**
 * Calls back once when this process must end: after a signal, or because its parent has ended. The parent may end without a
 * signal: npm passes a SIGTERM to its shell, and the shell ends without passing it on.
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
