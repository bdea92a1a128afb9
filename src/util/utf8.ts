const encoder = new TextEncoder();
/** Keeps a byte order mark at the start of a text. */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** The UTF-8 bytes of a text. Bytes are returned as they are. */
export function bytesOf(text: string | Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return typeof text === "string" ? encoder.encode(text) : text;
}

export function textOf(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}
