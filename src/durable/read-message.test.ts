import { describe, expect, it, vi } from "vitest";
import { storeEnvelope } from "../testing/envelopes.ts";
import { codeOf } from "../testing/errors.ts";
import { NOW } from "../testing/rows.ts";
import { bytesOf } from "../util/utf8.ts";
import { readMessage } from "./read-message.ts";

const ports = { settings: { namespace: "test", maxPayloadBytes: 1024 * 1024, encryption: undefined }, useTime: () => NOW };
const DELETED_AT = "2026-01-02T03:04:05Z";

/** The draft of a message of the key "k". */
async function read(data: Uint8Array | object, headers: Readonly<Record<string, string>> = {}, token = "k") {
  const message = {
    subject: `_kv.test.key.${token}`,
    sequence: 7,
    data: data instanceof Uint8Array ? data : bytesOf(JSON.stringify(data)),
    header: (name: string) => headers[name] ?? "",
  };
  return (await readMessage(ports, message, NOW, undefined))?.draft;
}

const stored = (metadata: Readonly<Record<string, unknown>> = {}, value = "1"): object => storeEnvelope("k", value, metadata);
const deleted = (fields: Readonly<Record<string, unknown>> = {}): object => ({
  operation: "delete",
  key: "k",
  timestamp: DELETED_AT,
  version: 3,
  ...fields,
});

describe("A message of the stream", () => {
  it("has its version, its revision, and the base that its writer tells", async () => {
    expect((await read(stored({ version: 4 }), { "Nas-Base": "6" }))?.policy).toMatchObject({ version: 4, revision: 7, base: 6 });
    expect((await read(deleted(), { "Nas-Base": "0" }))?.policy).toMatchObject({ version: 3, revision: 7, base: 0 });
  });

  it.each(["", "-1", "1.5", "1e3", "x", " 6", "9".repeat(16)])("has no base where the header is %o", async (base) => {
    expect((await read(stored(), { "Nas-Base": base }))?.policy.base).toBeUndefined();
  });

  it("is refused where its key is not that of its subject, a delete too", async () => {
    expect(await read(stored(), {}, "other")).toBeUndefined();
    expect(await read(deleted(), {}, "other")).toBeUndefined();
    expect(await read(stored(), {}, "%6B")).toBeUndefined();
  });

  it("is refused where its bytes are no UTF-8", async () => {
    const bytes = bytesOf(JSON.stringify(stored({ format: "text", checksum: undefined, size: undefined }, "?")));
    bytes[bytes.indexOf(0x3f)] = 0xff;
    expect(await read(bytes)).toBeUndefined();
  });

  it("cannot be verified on a page without WebCrypto: that is no fault of the message", async () => {
    vi.stubGlobal("crypto", { getRandomValues: crypto.getRandomValues.bind(crypto) });
    expect(await codeOf(() => read(stored()))).toBe("INSECURE_CONTEXT");
    vi.unstubAllGlobals();
  });

  it("is a delete of its version where it has expired", async () => {
    const ended = { version: 9, ttl: 1, updated_at: new Date(NOW - 2_000).toISOString() };
    expect(await read(stored(ended))).toMatchObject({ operation: "delete", policy: { version: 9, revision: 7 } });
  });

  it("gets the next version where it is a delete without one, or a marker of the server", async () => {
    expect((await read(deleted({ version: undefined })))?.policy.version).toBe("next");
    const marker = await read(new Uint8Array(), { "Nats-Marker-Reason": "MaxAge" });
    expect(marker).toMatchObject({ operation: "delete", policy: { version: "next", revision: 7 } });
  });

  it("is no marker of the server where it has an envelope", async () => {
    expect(await read(stored(), { "Nats-Marker-Reason": "MaxAge" })).toMatchObject({ operation: "store", policy: { version: 1 } });
  });
});
