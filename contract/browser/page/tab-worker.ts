// A dynamic import for the reason given in case-worker.ts.
const tab = import("./tab.ts");

globalThis.addEventListener("message", ({ ports: [port] }) => void tab.then(({ serve }) => serve(port!)));
