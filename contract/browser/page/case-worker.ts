// Loaded apart: WebKitGTK 2.50 evaluates a worker's first module again when a chunk that loads later imports from it.
const cases = import("./cases.ts");

globalThis.addEventListener("message", ({ ports: [port] }) => void cases.then(({ serve }) => serve(port!)));
