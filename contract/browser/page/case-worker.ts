// A dynamic import, because WebKitGTK 2.50 evaluates a worker's first module again when a later chunk imports from it.
const cases = import("./cases.ts");

globalThis.addEventListener("message", ({ ports: [port] }) => void cases.then(({ serve }) => serve(port!)));
