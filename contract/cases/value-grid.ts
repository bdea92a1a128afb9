import { assert } from "chai";
import type { KeyFormat, KeyStoreError, NASKeyStore } from "nas-keystore";
import type { ContractCase, Environment } from "../environment.ts";
import { published } from "../support/messages.ts";
import { oddValues, type OddValue } from "../support/odd-values.ts";
import { assertSameValue } from "../support/same-value.ts";
import { expectedValue, prepareKeys, WAYS } from "../support/ways-to-write.ts";

/** A format has one answer for each value. */
export const valueGrid: readonly ContractCase[] = (["json", "text", "binary", "structured"] as const).map((format) => ({
  title: `The ${format} format refuses or returns each of 150 odd values, the same way in store, update and bulkStore`,
  run: async ({ openStore, server }: Environment) => {
    const values = await oddValues();
    assert.isAtLeast(values.length, 150);
    const store = openStore({ cacheSize: 2_000 });

    const written = new Map<string, OddValue>();
    const expected = Object.fromEntries(values.map(({ name, formats }) => [name, formats.includes(format) ? "kept" : "INVALID_VALUE"]));
    for (const way of Object.keys(WAYS)) {
      const answers = await answersTo(store, format, way, values);
      assert.deepEqual(Object.fromEntries(answers), expected, way);
      for (const value of values) if (answers.get(value.name) === "kept") written.set(keyOf(way, value), value);
    }

    const keys = [...written.keys()];
    const reads = {
      memory: await store.bulkRetrieve(keys),
      IndexedDB: await store.bulkRetrieve(keys, { useCache: false }),
      "a new store": await openStore().bulkRetrieve(keys),
    };
    const payloads = new Map((await published(server)).map(({ key, value }) => [key, value]));
    for (const [key, value] of written) {
      const expectedNow = async (): Promise<unknown> => expectedValue(format, (value.returned ?? value.make)());
      for (const [place, found] of Object.entries(reads)) {
        assert.isTrue(found.has(key), `${key} from ${place}`);
        assertSameValue(found.get(key), await expectedNow(), `${key} from ${place}`);
      }
      assert.strictEqual(payloads.get(key), await payloadOf(format, value, payloads), key);
    }
  },
}));

function keyOf(way: string, { name }: OddValue): string {
  return `${way}: ${name}`;
}

/** Writes all values in one way. The answers by the names of the values: "kept", or the error's code. */
async function answersTo(store: NASKeyStore, format: KeyFormat, way: string, values: readonly OddValue[]): Promise<Map<string, string>> {
  if (way === "update") await prepareKeys(store, values.map((value) => keyOf(way, value)), format); // prettier-ignore
  const answers = values.map(
    async (value) => [value.name, await answerOf(WAYS[way]!(store, keyOf(way, value), value.make(), format))] as const,
  );
  return new Map(await Promise.all(answers));
}

async function answerOf(writing: Promise<unknown>): Promise<string> {
  try {
    await writing;
    return "kept";
  } catch (error) {
    const { name, code, key } = error as Partial<KeyStoreError>;
    return name === "KeyStoreError" && key !== undefined ? String(code) : String(error);
  }
}

/** The payload of a message. That of "structured" is known from the first write only. */
async function payloadOf(
  format: KeyFormat,
  value: OddValue,
  payloads: ReadonlyMap<string, string | undefined>,
): Promise<string | undefined> {
  if (format === "json") return JSON.stringify(value.make());
  if (format === "structured") return payloads.get(keyOf("first", value));
  const expected = await expectedValue(format, value.make());
  return format === "text" ? (expected as string) : btoa(String.fromCharCode(...(expected as Uint8Array)));
}
