/** A fresh key for the option `encryption`. */
export function newKey(usages: readonly KeyUsage[] = ["encrypt", "decrypt"]): Promise<CryptoKey> {
  return crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, usages);
}
