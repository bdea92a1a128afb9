import { isLongerThan } from "./key.ts";

/** Servers hang up at a control line of more than 4,096 bytes; what else is in one has less than a hundred. */
const MAX_SUBJECT_BYTES = 4_000;

/** What may not stand in a subject token as itself: control characters, white space, `.`, `*`, `>`, and `%`, the escape. */
const UNSAFE_IN_TOKEN = /[\p{Cc}\s.*>%]/gu;
/** A finished subject: tokens with nothing in them that NATS reads as protocol or as a wildcard. */
const SUBJECT = /^_kv(?:\.[^\p{Cc}\s.*>]+){3,}$/u;

const utf8 = new TextEncoder();

/** The subject of a key: `_kv.<namespace>.key.<token>`. Injective and reversible; `user:123` reads as itself. */
export function subjectOf(namespace: string, key: string): string {
  return `_kv.${namespace}.key.${key.replace(UNSAFE_IN_TOKEN, percentEncode)}`;
}

/** Whether a subject can be handed to a NATS client, which checks nothing itself (nats.ws 1.30.3). */
export function isSafeSubject(subject: string): boolean {
  return SUBJECT.test(subject) && !isLongerThan(subject, MAX_SUBJECT_BYTES);
}

function percentEncode(character: string): string {
  let encoded = "";
  for (const byte of utf8.encode(character)) encoded += `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  return encoded;
}
