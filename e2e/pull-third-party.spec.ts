import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { expect, openDurable, pullIn, test } from "./support/durable.ts";
import { deleteOf, envelopeOf } from "./support/envelopes.ts";
import { sha256 } from "./support/messages.ts";
import { natsServers } from "./support/nats-servers.ts";
import { storedEntries } from "./support/stored-entries.ts";
import type { Stream } from "./support/stream-client.ts";

/** As `datetime.now().isoformat()` of Python: local time, microseconds. */
const PYTHON_TIME = "2026-01-02T03:04:05.678901";

const md5 = (text: string): string => createHash("md5").update(text).digest("hex");

/** An entry as the Python original publishes it. */
function pythonEnvelope(key: string, value: unknown, metadata: Readonly<Record<string, unknown>> = {}) {
  const payload = metadata["format"] === undefined || metadata["format"] === "json" ? JSON.stringify(value) : String(value);
  const times = { created_at: PYTHON_TIME, updated_at: PYTHON_TIME };
  const fields = {
    key,
    format: "json",
    size: Buffer.byteLength(payload),
    ...times,
    ttl: null,
    tags: [],
    checksum: md5(payload),
    version: 1,
  };
  return { operation: "store", key, value: payload, metadata: { ...fields, ...metadata } } as const;
}

/** A megabyte of arrays in arrays. */
const NESTED = "[".repeat(500_000) + "]".repeat(500_000);
const BOMB = gzipSync(Buffer.alloc(50_000_000)).toString("base64");

/** Publishes what is no message of a store. @returns how many subjects have such messages */
async function publishRubbish(stream: Stream): Promise<number> {
  const subjects = new Set<string>();
  const publish = async (key: string, data: string | Uint8Array, fields?: Readonly<Record<string, string>>): Promise<void> => {
    subjects.add(key);
    await stream.publish(`${stream.subjectOf("")}${key}`, data, fields);
  };
  const envelope = (key: string, metadata: object, others: object = {}): Promise<void> =>
    publish(key, JSON.stringify({ ...pythonEnvelope(key, 1, { ...metadata }), ...others }));

  await publish("no-json", "{ this is no JSON");
  await publish("empty", "");
  await publish("headers-only", "", { "X-Kind": "headers" });
  await publish("no-utf-8", Uint8Array.of(0xff, 0xfe, 0xfd));
  await publish("null", "null");
  await publish("number", "1e999");
  await publish("nested", NESTED);
  await publish(
    "nested-tags",
    `{"operation":"store","key":"nested-tags","value":"1","metadata":{"format":"json","version":1,"tags":${NESTED}}}`,
  );
  await publish("__proto__", `{"__proto__":{"operation":"store"},"key":"__proto__","value":"1"}`);
  await publish(
    "inherited",
    `{"operation":"store","key":"inherited","value":"1","metadata":{"__proto__":${JSON.stringify(pythonEnvelope("a", 1).metadata)}}}`,
  );
  await publish("of-another-key", JSON.stringify(pythonEnvelope("good", "stolen")));
  await publish("two.tokens", JSON.stringify(pythonEnvelope("two.tokens", 1)));
  await publish("%41", JSON.stringify(pythonEnvelope("A", 1)));
  await publish("%zz", JSON.stringify(pythonEnvelope("%zz", 1)));
  await envelope("pickle", { format: "pickle" });
  await envelope("unknown-format", { format: "yaml" });
  await envelope("unknown-operation", {}, { operation: "rename" });
  await envelope("value-is-no-text", {}, { value: { a: 1 } });
  await envelope("damaged", {}, { value: '{"a":' });
  await envelope("wrong-checksum", { checksum: sha256("another payload") });
  await envelope("wrong-size", { checksum: undefined, size: 7 });
  await envelope("huge-ttl", { ttl: 1e300 });
  await envelope("endless-ttl", { ttl: -1 });
  await envelope("huge-version", { version: 2 ** 53 });
  await envelope("no-version", { version: 0 });
  await envelope("no-time", { updated_at: "yesterday" });
  await envelope("tags-are-no-texts", { tags: [{}] });
  await envelope("bomb", { encoding: "gzip", checksum: sha256(Buffer.alloc(50_000_000)), size: 50_000_000 }, { value: BOMB });
  await envelope("no-metadata", {}, { metadata: null });
  await publish("delete-of-another-key", JSON.stringify(deleteOf("good", 9)));
  await publish("delete-without-time", JSON.stringify({ operation: "delete", key: "delete-without-time" }));
  return subjects.size;
}

for (const tested of natsServers) {
  test(`entries and deletes of the Python original are pulled, and what is no message of a store is counted only, on ${tested.title}`, async ({
    page,
    startStream,
    namespace,
  }) => {
    const { server, stream } = await startStream(tested);
    await openDurable(page, { servers: server.wsUrl, namespace });
    await stream.publishAll([
      pythonEnvelope("good", { name: "Ä", list: [1, null] }),
      pythonEnvelope("no-checksum", [1, 2], { checksum: null }),
      pythonEnvelope("text", "line\nline", { format: "text", tags: ["a", "b"], version: 3 }),
      pythonEnvelope("bytes", Buffer.from("bytes").toString("base64"), { format: "binary", size: 5, checksum: md5("bytes") }),
      pythonEnvelope("user:1.a*>%", 1),
      pythonEnvelope("ttl", 1, { ttl: 1_000_000_000 }),
      pythonEnvelope("expired", 1, { ttl: 60 }),
      pythonEnvelope("deleted", 1),
      pythonEnvelope("deleted-unseen", 1),
    ]);
    await stream.publish(
      stream.subjectOf("deleted-unseen"),
      JSON.stringify({ operation: "delete", key: "deleted-unseen", timestamp: PYTHON_TIME }),
    );
    expect(await pullIn(page)).toMatchObject({ applied: 7, deleted: 0, skipped: 2, rejected: 0 });
    await stream.publish(stream.subjectOf("deleted"), JSON.stringify({ operation: "delete", key: "deleted", timestamp: PYTHON_TIME }));

    const rubbish = await publishRubbish(stream);
    const before = [...(await storedEntries(page))].filter(([key]) => key !== "deleted");
    const lastSequence = (await stream.state()).last_seq;
    expect(await pullIn(page)).toEqual({ applied: 0, deleted: 1, skipped: 0, rejected: rubbish, revision: lastSequence });
    expect([...(await storedEntries(page))]).toEqual(before);
    expect(await pullIn(page)).toEqual({ applied: 0, deleted: 0, skipped: 0, rejected: 0, revision: lastSequence });

    const read = await page.evaluate(async () => ({
      good: await store.retrieve("good"),
      "no-checksum": await store.retrieve("no-checksum"),
      text: await store.retrieve("text"),
      bytes: [...(await store.retrieve<Uint8Array>("bytes"))!],
      "user:1.a*>%": await store.retrieve("user:1.a*>%"),
      ttl: await store.retrieve("ttl"),
      createdAt: (await store.getMetadata("good"))!.createdAt.getTime() - new Date(2026, 0, 2, 3, 4, 5, 678).getTime(),
      keys: await store.listKeys(),
    }));
    expect(read).toEqual({
      good: { name: "Ä", list: [1, null] },
      "no-checksum": [1, 2],
      text: "line\nline",
      bytes: [...Buffer.from("bytes")],
      "user:1.a*>%": 1,
      ttl: 1,
      createdAt: 0,
      keys: ["bytes", "good", "no-checksum", "text", "ttl", "user:1.a*>%"],
    });

    // Rubbish on the subject of an entry does not remove the entry, and the next message of the key counts.
    await stream.publish(stream.subjectOf("good"), NESTED);
    expect(await pullIn(page)).toMatchObject({ applied: 0, deleted: 0, rejected: 1 });
    expect(await page.evaluate(() => store.retrieve("good"))).toEqual({ name: "Ä", list: [1, null] });
    await stream.publishAll([pythonEnvelope("good", "again", { version: 2 }), envelopeOf("empty", "now good")]);
    expect(await pullIn(page)).toMatchObject({ applied: 2, rejected: 0 });
    expect(await page.evaluate(() => store.store("good", "own"))).toBe(true);
    expect((await stream.state()).consumer_count).toBe(0);
  });
}
