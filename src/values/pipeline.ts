/**
 * The value pipeline. A write runs the stages from left to right, a read runs their counterparts from right to left:
 *
 *     value → (schema) → format → payload → compression → encryption → checksum → stored payload
 *             encode              compressPayload         finishPayload, or Encrypter.encrypt
 *             decode              readPayload
 *
 * Each stage is a pair of functions: encode (encode.ts) and decode (formats.ts), gzip and gunzip (gzip.ts), digestOf (digest.ts) and verifyChecksum
 * (checksum.ts), encrypterOf (encryption.ts) and readEncrypted (encrypted-payload.ts), which include the checksum of what is stored. Memory keeps payloads, so a read
 * from memory runs `decode` alone. A schema is not built yet: it wraps `encode` and `decode`.
 */
// Apart, since reads need one half at once, and the other half loads with the write side.
export { decode } from "./formats.ts";
export { encode, encodeCopy } from "./encode.ts";
export { compressPayload, finishPayload } from "./pipeline-forward.ts";
export { readPayload } from "./pipeline-backward.ts";
