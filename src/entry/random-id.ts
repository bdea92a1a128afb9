/** 128 random bits as 32 hex digits. `crypto.randomUUID` would do, but insecure pages do not have it. */
export function randomId(): string {
  let id = "";
  for (const byte of crypto.getRandomValues(new Uint8Array(16))) id += byte.toString(16).padStart(2, "0");
  return id;
}
