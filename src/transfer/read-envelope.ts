import { isWellFormed, assertKey } from "../model/key.ts";
import { FORMATS, type KeyFormat } from "../model/metadata.ts";
import type { RowEncryption } from "../model/row.ts";
import { isTag, isTtl } from "../options/checks.ts";
import { isCount } from "../util/count.ts";

/** An envelope whose fields have valid types. Its payload is not decoded or verified yet. Times are milliseconds since the epoch. */
export interface ReadEnvelope {
  readonly key: string;
  readonly format: KeyFormat;
  /** The payload as in a message: base64 for bytes. */
  readonly value: string;
  readonly encoding: "gzip" | undefined;
  readonly encryption: RowEncryption | undefined;
  /** SHA-256 as 64 hex digits. Undefined: the sender has none, or the MD5 of the Python original. */
  readonly checksum: string | undefined;
  /** Of the payload before compression. Undefined: the sender does not tell. */
  readonly size: number | undefined;
  readonly version: number;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly ttl: number | null;
  readonly expiresAt: number | undefined;
  readonly tags: readonly string[];
}

/** Versions and the version floor stay safe integers, however often the key is written afterwards. */
const MAX_VERSION = 2 ** 51;

const CHECKSUM = /^(?:[0-9a-f]{64}|[0-9a-f]{32})$/;
/** Short ids, in the characters of base64 and of its form for URLs. */
const KEY_ID = /^[\w+/=-]{1,100}$/;
/** 12 bytes in base64. */
const NONCE = /^[A-Za-z0-9+/]{16}$/;
/** ISO 8601. The Python original has microseconds and may have no time zone: then it is local time. */
const TIME = /^((?:\d{4}|[+-]\d{6})-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,3})?)\d*(Z|[+-]\d\d:\d\d)?$/;

/** The last time of a Date. */
const LAST_TIME = 8.64e15;

/** Thrown for an envelope that cannot be imported. */
export class Malformed extends Error {}

/**
 * Reads the envelope of an entry, as messages and exports have it, those of the Python original too. Ignores unknown fields. Reads each
 * field once: the object may be anything.
 * @throws Malformed, INVALID_KEY, and what a getter or a proxy throws
 */
export function readEnvelope(envelope: unknown): ReadEnvelope {
  const { operation, key, value, metadata } = fieldsOf(envelope);
  const { format, encoding, encryption, checksum, size, version, created_at, updated_at, ttl, expires_at, tags } = fieldsOf(metadata);
  assertKey(key);
  const updatedAt = timeOf(updated_at);
  return {
    key,
    value: valid(value, operation === "store" && typeof value === "string" && isWellFormed(value)),
    format: valid(format, FORMATS.includes(format)),
    encoding: valid(encoding, encoding === undefined || encoding === "gzip"),
    encryption: encryption === undefined ? undefined : encryptionOf(encryption),
    checksum: checksumOf(checksum),
    size: valid(size, size === undefined || isCount(size)),
    version: versionOf(version),
    createdAt: created_at === undefined ? updatedAt : timeOf(created_at),
    updatedAt,
    ...expiryOf(ttl, expires_at, updatedAt),
    // Python's None is null.
    tags:
      tags === undefined || tags === null
        ? []
        : Array.from(valid<unknown[]>(tags, Array.isArray(tags)), (tag) => valid<string>(tag, isTag(tag))),
  };
}

/** The envelope of a delete. */
export interface ReadDelete {
  readonly key: string;
  readonly deletedAt: number;
  /** Undefined: the sender has none, as the Python original. */
  readonly version: number | undefined;
}

/** Reads the envelope of a delete, as `readEnvelope` reads one of an entry. Undefined: it is of another operation. @throws Malformed, INVALID_KEY */
export function readDelete(envelope: unknown): ReadDelete | undefined {
  const { operation, key, timestamp, version } = fieldsOf(envelope);
  if (operation !== "delete") return undefined;
  assertKey(key);
  return { key, deletedAt: timeOf(timestamp), version: version === undefined ? undefined : versionOf(version) };
}

/** @param expiresAt given by an export: a `touch` may have started the TTL again */
function expiryOf(ttl: unknown, expiresAt: unknown, updatedAt: number): Pick<ReadEnvelope, "ttl" | "expiresAt"> {
  if (ttl === null || ttl === undefined) return { ttl: null, expiresAt: undefined };
  const seconds = valid<number>(ttl, isTtl(ttl));
  const expiry = expiresAt === undefined ? updatedAt + seconds * 1000 : timeOf(expiresAt);
  return { ttl: seconds, expiresAt: valid(expiry, expiry <= LAST_TIME) };
}

/** A `scope` says that the message of the exported entry is in plain text. Otherwise it is the ciphertext. */
function encryptionOf(encryption: unknown): RowEncryption {
  const { algorithm, key_id, nonce, scope } = fieldsOf(encryption);
  return {
    keyId: valid(key_id, typeof key_id === "string" && KEY_ID.test(key_id)),
    nonce: valid(nonce, algorithm === "AES-GCM" && typeof nonce === "string" && NONCE.test(nonce)),
    messages: valid(scope === undefined, scope === undefined || scope === "entry"),
  };
}

function versionOf(version: unknown): number {
  return valid(version, isCount(version) && version > 0 && version <= MAX_VERSION);
}

function checksumOf(checksum: unknown): string | undefined {
  if (checksum === null || checksum === undefined) return undefined;
  const digits = valid<string>(checksum, typeof checksum === "string" && CHECKSUM.test(checksum));
  return digits.length === 64 ? digits : undefined;
}

function timeOf(text: unknown): number {
  const [, time, zone = ""] = (typeof text === "string" && TIME.exec(text)) || [];
  const ms = Date.parse(`${time}${zone}`);
  return valid(ms, Number.isFinite(ms));
}

/** The own properties of an object. */
function fieldsOf(object: unknown): Partial<Record<string, unknown>> {
  return { ...valid<object>(object, typeof object === "object" && object !== null) };
}

function valid<T>(value: unknown, isValid: boolean): T {
  if (!isValid) throw new Malformed();
  return value as T;
}
