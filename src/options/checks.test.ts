import { describe, expect, it } from "vitest";
import { errorOf } from "../testing/errors.ts";
import {
  itemOptions,
  readBulkOptions,
  readDeleteOptions,
  readFlushOptions,
  readListOptions,
  readRetrieveOptions,
  readRetrieveOrStoreOptions,
  readStoreOptions,
} from "./late-checks.ts";

const { signal } = new AbortController();
const holes: unknown[] = [];
holes.length = 2;

describe("The options of store", () => {
  it.each<[Record<string, unknown>]>([
    [{}],
    [{ format: "json" }],
    [{ format: "structured", ttl: null, tags: [], ifVersion: 0 }],
    [{ ttl: 0.001 }],
    [{ ttl: 1e12 }],
    [{ tags: ["a", "", "größe 😀"] }],
    [{ ifVersion: 3 }],
    [{ signal }],
  ])("The options of store take %j", (options) => {
    expect(readStoreOptions(options)).toEqual(options);
  });

  it.each<[string, unknown]>([
    ["format", "pickle"],
    ["format", "JSON"],
    ["format", null],
    ["format", "constructor"],
    ["ttl", 0],
    ["ttl", -1],
    ["ttl", "60"],
    ["ttl", Infinity],
    ["ttl", Number.NaN],
    ["ttl", 1e13],
    ["tags", "a"],
    ["tags", null],
    ["tags", [1]],
    ["tags", ["a\uD83D"]],
    ["tags", holes],
    ["tags", new Set(["a"])],
    ["ifVersion", -1],
    ["ifVersion", 1.5],
    ["ifVersion", "1"],
    ["ifVersion", null],
    ["signal", {}],
    ["signal", new AbortController()],
  ])("The options of store refuse %s: %j, and name the option", async (name, value) => {
    const error = await errorOf(() => readStoreOptions({ [name]: value }));
    expect(error).toMatchObject({ code: "INVALID_OPTION", option: name });
    expect(error.message).toMatch(new RegExp(`^The option "${name}" must be .*\\.$`));
  });

  it("The options of store ignore undefined, so that it does not replace a value that update keeps", () => {
    expect(
      Object.keys(readStoreOptions({ format: undefined, ttl: undefined, tags: undefined, ifVersion: undefined, signal: undefined })),
    ).toEqual([]);
  });
});

interface Call {
  readonly read: (options: unknown) => unknown;
  readonly valid: object;
  readonly see: string;
  /** Declared in the contract, but not built yet. */
  readonly unbuilt?: readonly string[];
}

it.each<[string, Call]>([
  ["store", { read: readStoreOptions, valid: { ttl: 1 }, see: "StoreOptions" }],
  ["bulkStore", { read: readBulkOptions, valid: { ttl: 1 }, see: "BulkOptions" }],
  ["an item of bulkStore", { read: (own) => itemOptions("k", own, {}), valid: { ttl: 1 }, see: "BulkItem", unbuilt: ["signal"] }],
  ["retrieve", { read: readRetrieveOptions, valid: { useCache: false }, see: "RetrieveOptions" }],
  ["retrieveOrStore", { read: readRetrieveOrStoreOptions, valid: { ifVersion: 0 }, see: "RetrieveOrStoreOptions" }],
  ["delete", { read: readDeleteOptions, valid: { ifVersion: 1 }, see: "DeleteOptions" }],
  ["listKeys", { read: readListOptions, valid: { tag: "a" }, see: "ListOptions", unbuilt: ["signal"] }],
  ["flush", { read: readFlushOptions, valid: { signal }, see: "FlushOptions", unbuilt: ["ifVersion"] }],
])("The options of %s are checked, and errors name the option", async (_, { read, valid, see, unbuilt }) => {
  expect(read(valid)).toEqual(valid);
  expect(read(undefined)).toEqual({});
  for (const option of ["other", ...(unbuilt ?? [])]) {
    const message = `Unknown option "${option}". See ${see}.`;
    expect(await errorOf(() => read({ [option]: 1 }))).toMatchObject({ code: "INVALID_OPTION", option, message });
  }
  const [option = ""] = Object.keys(valid);
  expect(await errorOf(() => read({ [option]: {} }))).toMatchObject({ code: "INVALID_OPTION", option });
  for (const invalid of [null, 1]) {
    const error = await errorOf(() => read(invalid));
    expect(error.code).toBe("INVALID_OPTION");
    expect(error.option).toBeUndefined();
  }
});
