import { hexOf } from "./hex.ts";

/** 128 random bits as 32 hex digits. `crypto.randomUUID` would do, but insecure pages do not have it. */
export function randomId(): string {
  return hexOf(crypto.getRandomValues(new Uint8Array(16)));
}
