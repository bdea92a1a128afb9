import { KeyStoreError } from "../util/errors.ts";

/** @param what needs WebCrypto. @throws KeyStoreError INSECURE_CONTEXT */
export function assertWebCrypto(what: string): void {
  if (globalThis.crypto?.subtle !== undefined) return;
  throw new KeyStoreError("INSECURE_CONTEXT", `${what} needs crypto.subtle. Serve the page over https or from localhost.`);
}
