/** The realm of a new iframe. Only pages have one. */
export function openIframe(): typeof globalThis {
  return document.body.appendChild(document.createElement("iframe")).contentWindow as unknown as typeof globalThis;
}

/** The value of an expression that is evaluated in a realm. */
export function evaluate(realm: typeof globalThis, expression: string): unknown {
  return realm.Function(`return ${expression}`)() as unknown;
}
