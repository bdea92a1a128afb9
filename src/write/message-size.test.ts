import { expect, it, vi } from "vitest";
import { messageFor, wireSize } from "../model/envelope.ts";
import { errorOf } from "../testing/errors.ts";
import { entryRow } from "../testing/rows.ts";
import { DraftBuilder } from "./draft-builder.ts";
import { checkMessageSize } from "./message-size.ts";

const PLAIN = { format: "text", original: "é".repeat(1_000), payload: "é".repeat(1_000) } as const;
const FACTS = { ttl: null, tags: ["t"] };

it("A message that can be too large is measured with the longest numbers, and refused when it is larger than the limit", async () => {
  const error = await errorOf(() => checkMessageSize("test", "k", PLAIN, FACTS, 1_000));
  expect(error).toMatchObject({ code: "PAYLOAD_TOO_LARGE", key: "k" });
  const [size = 0] = /\d+/.exec(error.message)?.map(Number) ?? [];
  expect(() => checkMessageSize("test", "k", PLAIN, FACTS, size)).not.toThrow();
  expect(() => checkMessageSize("test", "k", PLAIN, FACTS, size - 1)).toThrow(`${size} bytes`);
});

it("The measured size is at least that of the real message", async () => {
  const error = await errorOf(() => checkMessageSize("test", "k", PLAIN, FACTS, 1));
  const size = Number(/\d+/.exec(error.message)?.[0]);
  const row = entryRow({
    format: "text",
    payload: PLAIN.payload,
    tags: ["t"],
    writeId: [`${"0".repeat(32)}.${Number.MAX_SAFE_INTEGER}`, Number.MAX_SAFE_INTEGER],
  });
  expect(size).toBeGreaterThanOrEqual(wireSize(messageFor("test", "k", row, "0".repeat(32))));
});

it("The measured size of a text is that of its message, whatever has to be escaped", async () => {
  const payload = 'a"\\\n\u0001\u2028é漢😀'.repeat(10);
  const given = { format: "text", original: payload, payload } as const;
  const size = Number(/\d+/.exec((await errorOf(() => checkMessageSize("test", "k", given, FACTS, 1))).message)?.[0]);
  const empty = { format: "text", original: "", payload: "" } as const;
  const without = Number(/\d+/.exec((await errorOf(() => checkMessageSize("test", "k", empty, FACTS, 1))).message)?.[0]);
  const digits = String(new TextEncoder().encode(payload).length).length - 1;
  expect(size - without).toBe(new TextEncoder().encode(JSON.stringify(payload)).length - 2 + digits);
});

it("A payload that is too large when it is compressed is refused before it is hashed", async () => {
  const settings = { namespace: "test", compressAboveBytes: 0, defaultTtl: null, encryption: undefined };
  const drafts = new DraftBuilder({ settings, writer: { beginCommit: () => undefined }, maxMessageBytes: () => 1_000, useTime: () => 0 });
  const digest = vi.spyOn(crypto.subtle, "digest");
  const noise = crypto.getRandomValues(new Uint8Array(50_000));
  expect(await errorOf(() => drafts.prepareStore("k", noise, "binary", {}))).toMatchObject({ code: "PAYLOAD_TOO_LARGE", key: "k" });
  expect(digest).not.toHaveBeenCalled();
  vi.restoreAllMocks();
});

it("A payload with more units than the limit has bytes is refused before it is encoded", async () => {
  const settings = { namespace: "test", compressAboveBytes: Infinity, defaultTtl: null, encryption: undefined };
  const drafts = new DraftBuilder({ settings, writer: { beginCommit: () => undefined }, maxMessageBytes: () => 1_000, useTime: () => 0 });
  const encoders = [vi.spyOn(JSON, "stringify"), vi.spyOn(TextEncoder.prototype, "encode"), vi.spyOn(TextEncoder.prototype, "encodeInto")];
  const error = await errorOf(() => drafts.prepareStore("k", "x".repeat(100_000), "text", {}));
  expect(error).toMatchObject({ code: "PAYLOAD_TOO_LARGE", key: "k" });
  for (const encoder of encoders) expect(encoder).not.toHaveBeenCalled();
  vi.restoreAllMocks();
});
