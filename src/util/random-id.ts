import { hexOf } from "./hex.ts";

/** 128 random bits as 32 hex digits. Insecure pages do not have `crypto.randomUUID`. */
export function randomId(): string {
  return hexOf(crypto.getRandomValues(new Uint8Array(16)));
}
