import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { storeEnvelope, TIME } from "../testing/envelopes.ts";
import { caught } from "../testing/errors.ts";
import { usePage } from "../testing/stores.ts";
import { Malformed, readEnvelope } from "./read-envelope.ts";

const page = usePage();

describe("An envelope", () => {
  it("is read, and unknown fields are ignored", () => {
    const given = storeEnvelope("k", "1", { ttl: 60, tags: ["a"], expires_at: "2026-01-02T04:00:00.000Z", future: { of: "ours" } });
    expect(readEnvelope({ ...given, future: 1 })).toEqual({
      key: "k",
      value: "1",
      format: "json",
      encoding: undefined,
      encryption: undefined,
      checksum: given.metadata.checksum,
      size: 1,
      version: 1,
      createdAt: Date.parse(TIME),
      updatedAt: Date.parse(TIME),
      ttl: 60,
      expiresAt: Date.UTC(2026, 0, 2, 4),
      tags: ["a"],
    });
  });

  it("without `expires_at` expires a ttl after it was updated", () => {
    expect(readEnvelope(storeEnvelope("k", "1", { ttl: 1.5 })).expiresAt).toBe(Date.parse(TIME) + 1_500);
    expect(readEnvelope(storeEnvelope("k", "1", { expires_at: TIME })).expiresAt).toBeUndefined();
  });

  it.each([
    ["2026-01-02T03:04:05Z", Date.UTC(2026, 0, 2, 3, 4, 5)],
    ["2026-01-02T03:04:05.6Z", Date.UTC(2026, 0, 2, 3, 4, 5, 600)],
    ["2026-01-02T03:04:05.678901+01:00", Date.UTC(2026, 0, 2, 2, 4, 5, 678)],
    ["2026-01-02T03:04:05.678901", new Date(2026, 0, 2, 3, 4, 5, 678).getTime()],
    ["+033714-01-01T00:00:00.000Z", Date.UTC(33_714, 0, 1)],
  ])("may have the time %s", (text, ms) => {
    expect(readEnvelope(storeEnvelope("k", "1", { updated_at: text })).updatedAt).toBe(ms);
  });

  it.each([
    "",
    "2026-01-02",
    "2026-13-02T03:04:05Z",
    "2026-01-02 03:04:05Z",
    "2026-01-02T03:04:05+1",
    1_767_323_045_678,
    null,
    new Date(0),
  ])("may not have the time %s", async (time) => {
    expect(await caught(() => readEnvelope(storeEnvelope("k", "1", { updated_at: time })))).toBeInstanceOf(Malformed);
  });

  it.each([undefined, null])("may have the tags %s, as the Python original does", (tags) => {
    expect(readEnvelope(storeEnvelope("k", "1", { tags: tags as never })).tags).toEqual([]);
  });

  it("is read once: a getter that changes its answer changes nothing", () => {
    let reads = 0;
    const metadata = {
      ...storeEnvelope("k").metadata,
      get version() {
        return ++reads;
      },
    };
    expect(readEnvelope({ ...storeEnvelope("k"), metadata }).version).toBe(1);
  });
});

/** Anything in the place of any field, and fields with dangerous names. */
const anything = fc.anything({ withBigInt: true, withDate: true, withMap: true, withNullPrototype: true, withSparseArray: true });
const field = fc.constantFrom(
  ...Object.keys(storeEnvelope("k").metadata),
  "encoding",
  "expires_at",
  "__proto__",
  "constructor",
  "toString",
);
const oddNumber = fc.constantFrom(0, -0, -1, 1.5, NaN, Infinity, -Infinity, 2 ** 31, 2 ** 51 + 1, 2 ** 53, Number.MAX_VALUE, 5e-324);
const hostile = fc.oneof(
  anything,
  fc.tuple(fc.dictionary(field, fc.oneof(anything, oddNumber)), anything, anything, fc.boolean()).map(([metadata, key, value, isRaw]) => ({
    operation: "store",
    key: isRaw ? key : "k",
    value: isRaw ? value : "1",
    metadata: { ...storeEnvelope("k").metadata, ...metadata },
  })),
);

it("An import counts every hostile envelope as imported or skipped, never throws, changes no prototype, and what it imports can be read", async () => {
  const store = page.open({ cacheSize: 0 });
  await fc.assert(
    fc.asyncProperty(fc.array(hostile, { maxLength: 20 }), async (envelopes) => {
      const { imported, skipped } = await store.import(envelopes as object[]);
      expect(imported + skipped).toBe(envelopes.length);
      for (const key of await store.listKeys()) {
        await store.retrieve(key);
        expect((await store.getMetadata(key))?.version).toBeLessThanOrEqual(2 ** 51);
      }
      expect(Object.keys(Object.prototype)).toEqual([]);
      await store.clearCache();
    }),
    { numRuns: 200 },
  );
});
