import { createHash } from "node:crypto";
import { expect } from "@playwright/test";
import type { WireMessage } from "./wire.ts";

/** The characters that a subject escapes, written independently of the library: Unicode Cc, white space of JavaScript, and characters with a meaning for NATS or the escape. */
const ENCODED = new Set([
  ...Array.from({ length: 0x20 }, (_, code) => code),
  ...Array.from({ length: 0x21 }, (_, code) => 0x7f + code),
  0x20,
  0xa0,
  0x1680,
  0x2028,
  0x2029,
  0x202f,
  0x205f,
  0x3000,
  0xfeff,
  ...Array.from({ length: 0xb }, (_, code) => 0x2000 + code),
  ...Array.from(".*>%", (character) => character.charCodeAt(0)),
]);

export function expectedSubject(namespace: string, key: string): string {
  const token = Array.from(key, (character) => {
    if (!ENCODED.has(character.codePointAt(0) ?? 0)) return character;
    return Array.from(Buffer.from(character), (byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`).join("");
  });
  return `_kv.${namespace}.key.${token.join("")}`;
}

export function sha256(payload: string | Uint8Array): string {
  return createHash("sha256").update(payload).digest("hex");
}

export const ISO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

export interface ExpectedStore {
  namespace: string;
  key: string;
  /** The payload before compression: text, or bytes for `binary`. */
  payload: string | Uint8Array;
  format?: string;
  ttl?: number | null;
  tags?: string[];
  version?: number;
}

/** Checks every field of a store's message, and that there is no other field. Not for compressed payloads. */
export function expectStore(message: WireMessage | undefined, expected: ExpectedStore): void {
  const { namespace, key, payload, format = "json", ttl = null, tags = [], version = 1 } = expected;
  expect(message?.subject).toBe(expectedSubject(namespace, key));
  expectMessageId(message);
  expect(message?.envelope).toEqual({
    operation: "store",
    key,
    value: typeof payload === "string" ? payload : Buffer.from(payload).toString("base64"),
    metadata: {
      format,
      ttl,
      tags,
      checksum: sha256(payload),
      created_at: expect.stringMatching(ISO_TIME),
      updated_at: expect.stringMatching(ISO_TIME),
      version,
      size: Buffer.from(payload).length,
      origin: expect.stringMatching(/./),
    },
  });
}

/** Checks every field of a delete's message, and that there is no other field. */
export function expectDelete(
  message: WireMessage | undefined,
  { namespace, key, version }: { namespace: string; key: string; version: number },
): void {
  expect(message?.subject).toBe(expectedSubject(namespace, key));
  expectMessageId(message);
  expect(message?.envelope).toEqual({
    operation: "delete",
    key,
    timestamp: expect.stringMatching(ISO_TIME),
    version,
    origin: expect.stringMatching(/./),
  });
}

export function messageIds(messages: readonly WireMessage[]): (string | undefined)[] {
  return messages.map(({ headers }) => headers["Nats-Msg-Id"]);
}

export function keysOf(messages: readonly WireMessage[]): string[] {
  return messages.map(({ envelope }) => envelope?.key ?? "");
}

function expectMessageId(message: WireMessage | undefined): void {
  expect(message?.headers).toEqual({ "Nats-Msg-Id": expect.stringMatching(/^\S+$/) });
}
