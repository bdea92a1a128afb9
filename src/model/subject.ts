import { bytesOf } from "../util/utf8.ts";
import { isLongerThan } from "./key.ts";

/** Servers close the connection at a control line of more than 4,096 bytes. The rest of the line has less than a hundred. */
const MAX_SUBJECT_BYTES = 4_000;

/** Characters that are escaped in a subject token: control characters, white space, `.`, `*`, `>`, and `%`, the escape itself. */
const UNSAFE_IN_TOKEN = /[\p{Cc}\s.*>%]/gu;
/** A complete subject: tokens without characters that NATS reads as protocol or as a wildcard. */
const SUBJECT = /^_kv(?:\.[^\p{Cc}\s.*>]+){3,}$/u;

/** The subject of a key: `_kv.<namespace>.key.<token>`. Injective and reversible; `user:123` reads as itself. */
export function subjectOf(namespace: string, key: string): string {
  return `_kv.${namespace}.key.${key.replace(UNSAFE_IN_TOKEN, percentEncode)}`;
}

/** The key of a subject; undefined: `subjectOf` makes it of no key. */
export function keyOf(namespace: string, subject: string): string | undefined {
  try {
    const key = decodeURIComponent(subject.slice(subjectOf(namespace, "").length));
    return key !== "" && subjectOf(namespace, key) === subject ? key : undefined;
  } catch {
    return undefined;
  }
}

/** The subjects of all keys of a namespace. */
export function streamSubject(namespace: string): string {
  return `_kv.${namespace}.key.>`;
}

/** Whether a subject is safe to give to a NATS client. nats.ws 1.30.3 does not check subjects. */
export function isSafeSubject(subject: string): boolean {
  return SUBJECT.test(subject) && !isLongerThan(subject, MAX_SUBJECT_BYTES);
}

function percentEncode(character: string): string {
  let encoded = "";
  for (const byte of bytesOf(character)) encoded += `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  return encoded;
}
