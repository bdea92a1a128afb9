import fc from "fast-check";
import { headers } from "nats";
import { describe, expect, it } from "vitest";
import { entryRow, NOW, tombstone } from "../testing/rows.ts";
import { envelopeOf, messageFor, wireSize } from "./envelope.ts";
import { subjectOf } from "./subject.ts";

describe("The message of a stored entry", () => {
  it("The message of a stored entry has exactly the fields of the design, in the order of the Python original", () => {
    const row = entryRow({ payload: '{"a":1}', version: 3, ttl: 60, expiresAt: NOW + 60_000, updatedAt: NOW + 1000, tags: ["x"] });
    expect(JSON.stringify(envelopeOf("user:1", row, "generation"))).toBe(
      JSON.stringify({
        operation: "store",
        key: "user:1",
        value: '{"a":1}',
        metadata: {
          format: "json",
          ttl: 60,
          tags: ["x"],
          checksum: row.checksum,
          created_at: "2026-01-02T03:04:05.678Z",
          updated_at: "2026-01-02T03:04:06.678Z",
          version: 3,
          size: 7,
          origin: "generation",
        },
      }),
    );
  });

  it("The message of a stored entry carries bytes as base64, and names the encoding if they are compressed", () => {
    const payload = new Uint8Array([0xfb, 0xff, 0x00]);
    const binary = envelopeOf("k", entryRow({ format: "binary", payload }), "g");
    expect(binary).toMatchObject({ value: "+/8A", metadata: { format: "binary", tags: [], ttl: null } });
    expect("metadata" in binary && "encoding" in binary.metadata).toBe(false);
    const gzipped = entryRow({ format: "text", payload, encoding: "gzip", storedChecksum: "p", size: 99 });
    const packed = envelopeOf("k", gzipped, "g");
    expect(packed).toMatchObject({ value: "+/8A", metadata: { format: "text", encoding: "gzip", size: 99 } });
    expect(JSON.stringify(packed)).not.toContain("storedChecksum");
  });
});

it("The message of a delete has exactly the fields of the design", () => {
  expect(JSON.stringify(envelopeOf("k", tombstone(4), "generation"))).toBe(
    '{"operation":"delete","key":"k","timestamp":"2026-01-02T03:04:05.678Z","version":4,"origin":"generation"}',
  );
});

describe("A message", () => {
  const key = fc.string({ unit: "grapheme", minLength: 1, maxLength: 40 });
  const rows = fc
    .record({ payload: fc.string({ unit: "grapheme" }), version: fc.integer({ min: 1 }), tags: fc.array(fc.string({ unit: "grapheme" })) })
    .map(entryRow);

  it("A message is UTF-8 JSON of the envelope, under the key's subject", () => {
    fc.assert(
      fc.property(key, rows, (name, row) => {
        const { subject, data } = messageFor("a.b", name, row, "g");
        expect(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(data))).toEqual(envelopeOf(name, row, "g"));
        expect(subject).toBe(subjectOf("a.b", name));
      }),
    );
  });

  it("A message is the same when its payload is given as a JSON string", () => {
    fc.assert(
      fc.property(key, rows, (name, row) => {
        expect(messageFor("ns", name, row, "g", JSON.stringify(row.payload))).toEqual(messageFor("ns", name, row, "g"));
      }),
    );
    const name = '","value":"","';
    const row = entryRow({ payload: '$& "value":""' });
    expect(messageFor("ns", name, row, "g", JSON.stringify(row.payload))).toEqual(messageFor("ns", name, row, "g"));
  });

  it("A message has the id of its write, the same at every attempt", () => {
    const row = entryRow({ writeId: ["instanceId", 7] });
    expect(messageFor("ns", "k", row, "g").id).toBe("instanceId-7");
    expect(messageFor("ns", "k", row, "g")).toEqual(messageFor("ns", "k", row, "g"));
    expect(messageFor("ns", "k", entryRow({ writeId: ["instanceId", 12] }), "g").id).toBe("instanceId-12");
  });

  it("A message has the wire size of its data and of the headers that a NATS client encodes", () => {
    fc.assert(
      fc.property(key, rows, fc.stringMatching(/^[0-9a-f]{1,32}$/), fc.nat(), (name, row, instanceId, n) => {
        const message = messageFor("ns", name, { ...row, writeId: [instanceId, n] }, "g");
        const hdrs = headers() as ReturnType<typeof headers> & { encode(): Uint8Array };
        hdrs.set("Nats-Msg-Id", message.id);
        expect(wireSize(message)).toBe(hdrs.encode().length + message.data.length);
      }),
    );
  });
});
