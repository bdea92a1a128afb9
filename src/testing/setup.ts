/** Listeners that pile up are a leak, or a test that opens too much: either fails the run. */
process.on("warning", (warning) => {
  if (warning.name === "MaxListenersExceededWarning") throw warning;
});
