import { fromUint8Array } from "js-base64";

import type { WriteId } from "./metadata.ts";
import { subjectOf } from "./subject.ts";
import { isTombstone, type EntryRow, type Row } from "./row.ts";

/** One message as it goes to the server. */
export interface Message {
  readonly subject: string;
  /** The envelope's JSON as UTF-8. */
  readonly data: Uint8Array;
  /** `Nats-Msg-Id`: the same for every attempt to send the same write. */
  readonly id: string;
}

/** The metadata of a store envelope; the first seven fields are the seed's. Times are ISO 8601 in UTC. */
interface EnvelopeMetadata {
  readonly format: string;
  readonly ttl: number | null;
  readonly tags: readonly string[];
  readonly checksum: string;
  readonly created_at: string;
  readonly updated_at: string;
  readonly version: number;
  readonly size: number;
  readonly origin: string;
  readonly encoding?: string;
}

export type Envelope =
  | { readonly operation: "store"; readonly key: string; readonly value: string; readonly metadata: EnvelopeMetadata }
  | { readonly operation: "delete"; readonly key: string; readonly timestamp: string; readonly version: number; readonly origin: string };

const utf8 = new TextEncoder();

/**
 * The message that tells of a row.
 * @param origin the database the write was made in
 */
export function messageFor(namespace: string, key: string, row: Row, origin: string): Message {
  return {
    subject: subjectOf(namespace, key),
    data: utf8.encode(JSON.stringify(envelopeOf(key, row, origin))),
    id: messageId(row.writeId),
  };
}

export function messageId([instanceId, n]: WriteId): string {
  return `${instanceId}-${n}`;
}

/** Whether an id can stand in a header as it is. One that was read from a database may be anybody's. */
export function isSafeId(id: string): boolean {
  return /^[!-~]*$/.test(id);
}

/** The header block of a message, as it goes over the wire. */
export function headerOf({ id }: Pick<Message, "id">): Uint8Array {
  return utf8.encode(`NATS/1.0\r\nNats-Msg-Id: ${id}\r\n\r\n`);
}

/** The bytes of a message that servers limit: its headers and its data. Its id must be a safe one, which has a byte a character. */
export function wireSize({ id, data }: Message): number {
  return HEADER_BYTES + id.length + data.length;
}

/** Of the headers without the id. */
const HEADER_BYTES = headerOf({ id: "" }).length;

export function envelopeOf(key: string, row: Row, origin: string): Envelope {
  if (isTombstone(row)) {
    return { operation: "delete", key, timestamp: isoTime(row.deletedAt), version: row.version, origin };
  }
  return { operation: "store", key, value: wirePayload(row), metadata: envelopeMetadata(row, origin) };
}

function envelopeMetadata(row: EntryRow, origin: string): EnvelopeMetadata {
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
  };
}

function wirePayload({ payload }: EntryRow): string {
  return typeof payload === "string" ? payload : fromUint8Array(payload);
}

/** The writes of a batch have the same time. */
let lastTime: { ms: number; text: string } | undefined;

function isoTime(ms: number): string {
  if (lastTime?.ms !== ms) lastTime = { ms, text: new Date(ms).toISOString() };
  return lastTime.text;
}
