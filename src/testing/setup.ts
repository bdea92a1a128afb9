/** Too many listeners on one target are a leak, or a test that opens too much. Both fail the run. */
process.on("warning", (warning) => {
  if (warning.name === "MaxListenersExceededWarning") throw warning;
});
