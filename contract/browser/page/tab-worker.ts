// Loaded apart, as in case-worker.ts.
const tab = import("./tab.ts");

globalThis.addEventListener("message", ({ ports: [port] }) => void tab.then(({ serve }) => serve(port!)));
