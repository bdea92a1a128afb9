import type { KeyFormat } from "nas-keystore";
import type { ContractCase } from "../environment.ts";
import { evaluate, openIframe } from "../support/realms.ts";
import { assertSameValue } from "../support/same-value.ts";
import { expectedValue, prepareKeys, WAYS } from "../support/ways-to-write.ts";

interface Change {
  readonly of: string;
  readonly make: () => object;
  readonly change: (value: never) => unknown;
  /** The returned value, if it is not of the same realm. */
  readonly returned?: () => unknown;
}

const fill = (value: Uint8Array): unknown => value.fill(1);
const clear = (value: Map<unknown, unknown>): void => value.clear();
const move = (value: Date): unknown => value.setTime(1);

const bytes: readonly Change[] = [
  { of: "an ArrayBuffer", make: () => new ArrayBuffer(2), change: (value: ArrayBuffer) => fill(new Uint8Array(value)) },
  { of: "a typed array", make: () => new Uint8Array(2), change: fill },
  { of: "a part of a buffer", make: () => new Uint8Array(new ArrayBuffer(4), 1, 2), change: fill },
  { of: "a DataView", make: () => new DataView(new ArrayBuffer(2)), change: (value: DataView) => value.setInt8(0, 1) },
];

const plain: readonly Change[] = [
  { of: "an object", make: () => ({ a: { b: 1 } }), change: (value: { a: { b: number } }) => (value.a.b = 2) },
  { of: "an array", make: () => [1], change: (value: number[]) => value.push(2) },
  { of: "a Date", make: () => new Date(0), change: move },
  { of: "a URL", make: () => new URL("https://a.b/c?d=e"), change: (value: URL) => value.searchParams.set("d", "f") },
];

const rich: readonly Change[] = [
  { of: "a Map", make: () => new Map([["a", [1]]]), change: clear },
  { of: "a Set", make: () => new Set([1]), change: clear },
  { of: "search parameters", make: () => new URLSearchParams("a=b"), change: (value: URLSearchParams) => value.append("a", "c") },
  { of: "an error", make: () => new Error("a"), change: (value: Error) => (value.message = "b") },
  { of: "a cause", make: () => new Error("a", { cause: [1] }), change: (value: { cause: number[] }) => value.cause.push(2) },
  { of: "a code", make: () => Object.assign(new Error("a"), { code: 1 }), change: (value: { code: number }) => (value.code = 2) },
  { of: "a list of errors", make: () => new AggregateError([1]), change: (value: AggregateError) => value.errors.push(2) },
];

/** The values of an iframe, each as the expression that makes it. */
const foreign: readonly (readonly [expression: string, change: (value: never) => unknown])[] = [
  ["({ a: { b: 1 } })", plain[0]!.change],
  ["[1]", plain[1]!.change],
  ["new Date(0)", move],
  ["new Map([['a', [1]]])", clear],
  ["new Set([1])", clear],
  ["new Error('a')", rich[3]!.change],
  ["new Uint8Array(2)", fill],
];

function foreignChanges(): Change[] {
  if (!("document" in globalThis)) return [];
  const iframe = openIframe();
  return foreign.map(([expression, change]) => ({
    of: `${expression} of an iframe`,
    make: () => evaluate(iframe, expression) as object,
    returned: () => evaluate(globalThis, expression),
    change,
  }));
}

const changes: Readonly<Record<KeyFormat, readonly Change[]>> = {
  json: plain,
  text: [],
  binary: bytes,
  structured: [...plain, ...rich, ...bytes],
};

/** A write has the value at the time of the call. */
export const valueChanges: readonly ContractCase[] = (["json", "binary", "structured"] as const).map((format) => ({
  title: `The ${format} format stores a value as it was at the time of the call, in store, update and bulkStore`,
  run: async ({ openStore }) => {
    const store = openStore();
    const all = [...changes[format], ...(format === "structured" ? foreignChanges() : [])];
    for (const [way, write] of Object.entries(WAYS)) {
      const keyOf = ({ of }: Change): string => `${way}: ${of}`;
      if (way === "update") await prepareKeys(store, all.map(keyOf), format);
      const writes = all.map((row) => {
        const value = row.make();
        const writing = write(store, keyOf(row), value, format);
        row.change(value as never);
        return writing;
      });
      await Promise.all(writes);
      for (const row of all) {
        const expected = await expectedValue(format, (row.returned ?? row.make)());
        assertSameValue(await store.retrieve(keyOf(row), { useCache: false }), expected, keyOf(row));
      }
    }
  },
}));
