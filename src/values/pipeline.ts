/**
 * The value pipeline. A write runs the stages from left to right, a read runs their counterparts from right to left:
 *
 *     value → format → payload → schema → compression → encryption → checksum → stored payload
 *             encode              fit      compressPayload         finishPayload, or Encrypter.encrypt
 *             decode              check    readPayload
 *
 * Each stage is a pair of functions: encode (encode.ts) and decode (formats.ts), fit (schemas.ts) and check (read/schema-checks.ts), gzip and gunzip
 * (gzip.ts), digestOf (digest.ts) and verifyChecksum (checksum.ts), encrypterOf (encryption.ts) and readEncrypted (encrypted-payload.ts), which include
 * the checksum of what is stored. Memory keeps payloads, so a read from memory runs `decode` alone, and a schema if the store has one.
 */
// Apart, since reads need one half at once, and the other half loads with the write side.
export { decode } from "./formats.ts";
export { encode, encodeCopy } from "./encode.ts";
export { compressPayload, finishPayload } from "./pipeline-forward.ts";
export { readPayload } from "./pipeline-backward.ts";
