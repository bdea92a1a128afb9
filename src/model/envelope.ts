import { fromUint8Array } from "js-base64";

import { bytesOf } from "../util/utf8.ts";
import { subjectOf } from "./subject.ts";
import { isTombstone, type EntryRow, type Row, type RowEncryption, type StoredPayload } from "./row.ts";

export interface Message {
  readonly subject: string;
  /** The envelope's JSON as UTF-8. */
  readonly data: Uint8Array;
  /** `Nats-Msg-Id`: the same for every attempt to send a write. */
  readonly id: string;
  /** Durable mode: `base` of the row. */
  readonly base?: number | undefined;
  /** When the entry expires, in milliseconds since the epoch. Only durable mode tells the server. */
  readonly expiresAt?: number | undefined;
  /** Durable mode: further headers. Their names and values must be safe in a header. */
  readonly headers?: Headers;
}

type Headers = Readonly<Record<string, string | number>>;

export type Envelope = ReturnType<typeof envelopeOf>;

/**
 * The message of a row.
 * @param origin the generation of the database
 * @param quoted the payload as a JSON string, if it is known: to make it takes as long as all the rest
 */
export function messageFor(namespace: string, key: string, row: Row, origin: string, quoted?: string): Message {
  const isQuoted = quoted !== undefined && !isTombstone(row);
  const text = JSON.stringify(envelopeOf(key, isQuoted ? { ...row, payload: "" } : row, origin));
  return {
    subject: subjectOf(namespace, key),
    // The first one is not in the key: quotes in a key are escaped.
    data: bytesOf(isQuoted ? text.replace('"value":""', () => `"value":${quoted}`) : text),
    id: row.writeId.join("-"),
    base: row.base,
    expiresAt: isTombstone(row) ? undefined : row.expiresAt,
  };
}

/** The row from which the message of an entry is made that is published in plain text. */
export function withPayload(row: EntryRow, payload: StoredPayload): EntryRow {
  const { encryption: _, ...rest } = row;
  return { ...rest, ...payload };
}

/** Whether an id is safe in a header. An id that was read from the database may be anything. */
export function isSafeId(id: string): boolean {
  return /^[!-~]*$/.test(id);
}

/** The header block of a message on the wire. */
export function headerOf({ id }: Pick<Message, "id">): Uint8Array {
  return headerBlock({ "Nats-Msg-Id": id });
}

/** Names and values must be safe in a header. */
export function headerBlock(headers: Headers): Uint8Array {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return bytesOf(`NATS/1.0\r\n${lines.join("")}\r\n`);
}

/** The size that servers limit: headers and data. The id must be safe: it has one byte per character. */
export function wireSize({ id, data }: Message): number {
  return HEADER_BYTES + id.length + data.length;
}

const HEADER_BYTES = headerOf({ id: "" }).length;

/** The most that the headers `Nas-Base` and `Nats-TTL` of durable mode take. */
export const DURABLE_HEADER_BYTES = 2 * "Nats-TTL: 9007199254740991s\r\n".length;

/** Times are ISO 8601 in UTC. */
export function envelopeOf(key: string, row: Row, origin: string) {
  if (isTombstone(row)) {
    return { operation: "delete", key, timestamp: isoTime(row.deletedAt), version: row.version, origin } as const;
  }
  return { operation: "store", key, value: wirePayload(row), metadata: envelopeMetadata(row, origin) } as const;
}

/** The envelope of an entry as `export` has it: with the time of its expiry, which a `touch` may have moved. */
export function exportedEnvelope(key: string, row: EntryRow, origin: string): object {
  const expiry = row.expiresAt === undefined ? undefined : { expires_at: isoTime(row.expiresAt) };
  return { operation: "store", key, value: wirePayload(row), metadata: { ...envelopeMetadata(row, origin), ...expiry } };
}

/** The first seven fields are those of the Python original. */
function envelopeMetadata(row: EntryRow, origin: string) {
  return {
    format: row.format,
    ttl: row.ttl,
    tags: row.tags ?? [],
    checksum: row.checksum,
    created_at: isoTime(row.createdAt),
    updated_at: isoTime(row.updatedAt),
    version: row.version,
    size: row.size,
    origin,
    ...(row.encoding === undefined ? undefined : { encoding: row.encoding }),
    ...(row.encryption === undefined ? undefined : { encryption: envelopeEncryption(row.encryption) }),
  };
}

/** Only an exported envelope has a `scope`: the additional data of a payload whose message is in plain text has another word. */
function envelopeEncryption({ keyId, nonce, messages }: RowEncryption) {
  return { algorithm: "AES-GCM", key_id: keyId, nonce, ...(messages ? undefined : { scope: "entry" }) } as const;
}

function wirePayload({ payload }: EntryRow): string {
  return typeof payload === "string" ? payload : fromUint8Array(payload);
}

/** The last result: the writes of a group have the same time. */
let lastTime: { ms: number; text: string } | undefined;

function isoTime(ms: number): string {
  if (lastTime?.ms !== ms) lastTime = { ms, text: new Date(ms).toISOString() };
  return lastTime.text;
}
