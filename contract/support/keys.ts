import type { Message } from "../environment.ts";

/** A fresh key for the option `encryption`. It cannot be exported. */
export function newKey(): Promise<CryptoKey> {
  return crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
}

/** The payload of an encrypted message, compressed or not: what a subscriber without the library does. See docs/PRODUCTION.md. */
export async function decrypted({ key, value, metadata }: NonNullable<Message["envelope"]>, namespace: string, cryptoKey: CryptoKey) {
  const bytes = (base64: string) => Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const { format, encoding = "", encryption } = metadata!;
  const additionalData = new TextEncoder().encode(["nas-keystore/v1", "message", namespace, format, encoding, key].join("\n"));
  const parameters = { name: "AES-GCM", iv: bytes(encryption!.nonce), additionalData };
  return new Uint8Array(await crypto.subtle.decrypt(parameters, cryptoKey, bytes(value!)));
}
