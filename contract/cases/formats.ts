import { assert } from "chai";
import type { KeyFormat } from "nas-keystore";
import type { ContractCase, Environment } from "../environment.ts";
import { assertRejects } from "../support/assertions.ts";

const bytes = new Uint8Array([0, 1, 127, 128, 255]);

const richValue = (): unknown => {
  const cycle: Record<string, unknown> = { big: 2n ** 70n, zero: -0, nothing: undefined };
  cycle["self"] = cycle;
  return new Map<unknown, unknown>([
    ["date", new Date(1234)],
    ["set", new Set([1, Number.NaN])],
    ["regexp", /a+/giu],
    ["typed", new Float64Array([1.5, -0])],
    ["error", new TypeError("wrong")],
    ["cycle", cycle],
  ]);
};

/** Values that each format accepts; the returned value if it differs; the payload if it is readable. */
const roundTrips: readonly { format: KeyFormat; of: string; value: () => unknown; returned?: unknown; payload?: string }[] = [
  {
    format: "json",
    of: "plain data",
    value: () => ({ text: "ä\u2028", list: [1, null, true], nested: { empty: {} } }),
    payload: '{"text":"ä\u2028","list":[1,null,true],"nested":{"empty":{}}}',
  },
  {
    format: "json",
    of: "the JSON form of a Date, a negative zero and undefined",
    value: () => ({ date: new Date(0), zero: -0, nothing: undefined }),
    returned: { date: "1970-01-01T00:00:00.000Z", zero: 0 },
    payload: '{"date":"1970-01-01T00:00:00.000Z","zero":0}',
  },
  { format: "text", of: "text", value: () => "line\r\n\0 ä 😀", payload: "line\r\n\0 ä 😀" },
  { format: "text", of: "an empty text", value: () => "", payload: "" },
  { format: "binary", of: "a view", value: () => bytes.subarray(1, 4), returned: bytes.slice(1, 4), payload: "AX+A" },
  { format: "binary", of: "an ArrayBuffer", value: () => bytes.slice().buffer, returned: bytes, payload: "AAF/gP8=" },
  { format: "binary", of: "a Blob", value: () => new Blob([bytes]), returned: bytes, payload: "AAF/gP8=" },
  { format: "binary", of: "no bytes", value: () => new Uint8Array(), payload: "" },
  { format: "structured", of: "rich values", value: richValue },
  { format: "structured", of: "undefined", value: () => undefined },
];

class User {
  readonly name = "Ada";
}
/** A worker of Firefox has room for less than 3,000 levels in its own JSON.stringify. */
const nested = `${"[".repeat(1_500)}${"]".repeat(1_500)}`;

const refused: readonly { format: KeyFormat; of: string; value: unknown }[] = [
  { format: "json", of: "undefined", value: undefined },
  { format: "json", of: "NaN within an object", value: { a: [Number.NaN] } },
  { format: "json", of: "a BigInt", value: 1n },
  { format: "json", of: "a Map", value: new Map() },
  { format: "json", of: "a Response", value: { response: new Response("x") } },
  { format: "json", of: "FormData", value: [new FormData()] },
  { format: "json", of: "an Error in the results of Promise.allSettled", value: [{ status: "rejected", reason: new Error("x") }] },
  { format: "json", of: "a RegExp", value: /x/ },
  { format: "json", of: "an iterator", value: new Map().values() },
  { format: "json", of: "the segments of a text", value: new Intl.Segmenter("en").segment("a b") },
  { format: "json", of: "an invalid Date", value: new Date(Number.NaN) },
  { format: "json", of: "a symbol key", value: { [Symbol("s")]: 1 } },
  { format: "json", of: "an array with named properties", value: /b/.exec("abc") },
  { format: "text", of: "a number", value: 1 },
  { format: "text", of: "half of a surrogate pair", value: "\ud800" },
  { format: "binary", of: "a string", value: "text" },
  { format: "structured", of: "a function", value: { call: () => 1 } },
  { format: "structured", of: "a symbol", value: Symbol("s") },
];

const LONG = "abcdefgh".repeat(1_000);

export const formats: readonly ContractCase[] = [
  ...roundTrips.map(({ format, of, value, returned = value(), payload }) => ({
    title: `The ${format} format returns ${of} from memory, from IndexedDB and in a new store`,
    run: async ({ openStore, server }: Environment) => {
      const store = openStore();
      assert.isTrue(await store.store("k", value(), { format }));
      assertSame(await store.retrieve("k"), returned);
      assertSame(await store.retrieve("k", { useCache: false }), returned);
      assertSame((await openStore().bulkRetrieve(["k"])).get("k"), returned);
      const [message] = await server.waitForMessages(1);
      assert.equal(message?.envelope?.metadata?.format, format);
      if (payload !== undefined) assert.equal(message?.envelope?.value, payload);
    },
  })),
  {
    title: "The json format returns an instance of a class as a plain object, and 1,500 nested arrays",
    run: async ({ openStore }) => {
      const store = openStore();
      await store.bulkStore({ user: new User(), nested: JSON.parse(nested) as unknown });
      assert.deepEqual(await store.retrieve("user", { useCache: false }), { name: "Ada" });
      assert.equal(JSON.stringify(await store.retrieve("nested", { useCache: false })), nested);
    },
  },
  ...refused.map(({ format, of, value }) => ({
    title: `The ${format} format refuses ${of} with INVALID_VALUE and changes nothing`,
    run: async ({ openStore, server }: Environment) => {
      const store = openStore();
      await store.store("k", "old");
      const error = await assertRejects(store.store("k", value, { format }), "INVALID_VALUE");
      assert.equal(error.key, "k");
      await assertRejects(store.update("k", value, { format }), "INVALID_VALUE");
      assert.equal(await store.retrieve("k"), "old");
      assert.equal((await store.getMetadata("k"))?.version, 1);
      assert.lengthOf(await server.messages(), 1);
    },
  })),
  {
    title: "Errors about values and items have short messages, whatever a getter throws and whatever a class is called",
    run: async ({ openStore }) => {
      const store = openStore();
      const long = "x".repeat(10_000);
      const failing = (): never => {
        throw new Error(long);
      };
      const values = [Object.defineProperty({}, "a", { get: failing, enumerable: true }), { toJSON: failing }, { [long]: () => 1 }];
      const tagged = { [Symbol.toStringTag]: long };
      for (const value of [...values, tagged, [tagged], { a: values }]) {
        for (const format of ["json", "structured", "text", "binary"] as const) {
          const writes = [
            store.store("k", value, { format }),
            store.update("k", value, { format }),
            store.bulkStore({ k: value }, { format }),
          ];
          for (const write of writes) assert.isBelow((await assertRejects(write, "INVALID_VALUE")).message.length, 500, format);
        }
      }
      const items = await assertRejects(store.bulkStore(values[0] as Record<string, unknown>), "INVALID_VALUE");
      assert.isBelow(items.message.length, 500);
    },
  },
  {
    title: "Compression gzips a payload above the threshold in the database and in the message",
    run: async ({ openStore, server }) => {
      const store = openStore({ compression: true });
      await store.store("long", LONG, { format: "text" });
      await store.store("short", "short", { format: "text" });
      assert.equal((await store.getMetadata("long"))?.size, LONG.length);
      assert.equal(await store.retrieve("long", { useCache: false }), LONG);
      // A store without the option reads the entry too.
      assert.equal(await openStore().retrieve("long"), LONG);
      const [long, short] = await server.waitForMessages(2);
      assert.equal(long?.envelope?.metadata?.encoding, "gzip");
      assert.isBelow(long?.envelope?.value?.length ?? Infinity, LONG.length / 10);
      assert.isUndefined(short?.envelope?.metadata?.encoding);
      assert.equal(short?.envelope?.value, "short");
    },
  },
  {
    title: "Compression gzips a payload above a custom threshold unless gzip does not make it smaller",
    run: async ({ openStore, server }) => {
      const store = openStore({ compression: { thresholdBytes: 10 } });
      const noise = crypto.getRandomValues(new Uint8Array(2_000));
      await store.store("repetitive", "ab".repeat(100), { format: "text" });
      await store.store("noise", noise, { format: "binary" });
      assert.deepEqual(await openStore().retrieve("noise"), noise);
      const encodings = (await server.waitForMessages(2)).map(({ envelope }) => envelope?.metadata?.encoding);
      assert.deepEqual(encodings, ["gzip", undefined]);
    },
  },
];

/** Compares Maps pair by pair, because the comparison of chai fails for a cycle in a Map. */
function assertSame(actual: unknown, expected: unknown): void {
  if (!(expected instanceof Map)) return assert.deepEqual(actual, expected);
  assert.instanceOf(actual, Map);
  assert.deepEqual([...actual.keys()], [...expected.keys()]);
  for (const [key, value] of expected) assert.deepEqual(actual.get(key), value, String(key));
}
