import { describe, expect, it } from "vitest";
import {
  readDeleteOptions,
  readKeyStoreOptions,
  readListOptions,
  readRetrieveOptions,
  readSignalOptions,
  readStoreOptions,
} from "./options.ts";
import { errorOf } from "../testing/errors.ts";

const connect = async (): Promise<unknown> => undefined;
const holes: unknown[] = [];
holes.length = 2;

describe("the options of a store", () => {
  it("have defaults", () => {
    const defaults = {
      servers: ["ws://localhost:9222"],
      namespace: "default",
      cacheSize: 100,
      maxPayloadBytes: 1024 * 1024,
      defaultTtl: null,
      sweepIntervalMs: 60_000,
      lingerMs: 0,
      timeoutMs: 2_000,
      compressAboveBytes: Infinity,
      connection: {},
      connect: undefined,
    };
    expect(readKeyStoreOptions(undefined)).toMatchObject(defaults);
    expect(readKeyStoreOptions({})).toMatchObject(defaults);
    expect(readKeyStoreOptions({ servers: undefined, cacheSize: undefined, connect: undefined, compression: undefined })).toMatchObject(
      defaults,
    );
  });

  it.each<[Record<string, unknown>, Record<string, unknown>]>([
    [{ servers: "wss://a.example:443/path" }, { servers: ["wss://a.example:443/path"] }],
    [{ servers: ["ws://a:1", "WSS://b"] }, { servers: ["ws://a:1", "WSS://b"] }],
    [{ servers: "ws://[::1]:9222" }, { servers: ["ws://[::1]:9222"] }],
    [{ namespace: "app.users" }, { namespace: "app.users" }],
    [{ cacheSize: 0 }, { cacheSize: 0 }],
    [{ maxPayloadBytes: 1 }, { maxPayloadBytes: 1 }],
    [{ defaultTtl: 0.5 }, { defaultTtl: 0.5 }],
    [{ sweepIntervalMs: 0 }, { sweepIntervalMs: 0 }],
    [{ lingerMs: 1.5 }, { lingerMs: 1.5 }],
    [{ timeoutMs: 1 }, { timeoutMs: 1 }],
    [{ compression: true }, { compressAboveBytes: 1024 }],
    [{ compression: false }, { compressAboveBytes: Infinity }],
    [{ compression: { thresholdBytes: 0 } }, { compressAboveBytes: 0 }],
    [{ connection: { user: "u", pass: "p" } }, { connection: { user: "u", pass: "p" } }],
    [{ connect }, { connect }],
  ])("take %j", (given, expected) => {
    expect(readKeyStoreOptions(given)).toMatchObject(expected);
  });

  it.each<[string, unknown]>([
    ["servers", "http://localhost:9222"],
    ["servers", "nats://localhost:4222"],
    ["servers", "localhost"],
    ["servers", "ws://"],
    ["servers", "ws://a b"],
    ["servers", ""],
    ["servers", []],
    ["servers", holes],
    ["servers", ["ws://a", 1]],
    ["servers", null],
    ["namespace", "a b"],
    ["namespace", null],
    ["cacheSize", -1],
    ["cacheSize", 1.5],
    ["cacheSize", "10"],
    ["cacheSize", Number.NaN],
    ["cacheSize", Infinity],
    ["cacheSize", null],
    ["maxPayloadBytes", 0],
    ["defaultTtl", 0],
    ["defaultTtl", -1],
    ["defaultTtl", Infinity],
    ["defaultTtl", Number.NaN],
    ["sweepIntervalMs", -1],
    ["sweepIntervalMs", 2 ** 31],
    ["sweepIntervalMs", Number.NaN],
    ["lingerMs", "1"],
    ["lingerMs", Infinity],
    ["timeoutMs", 0],
    ["timeoutMs", 2 ** 31],
    ["compression", "gzip"],
    ["compression", null],
    ["compression", {}],
    ["compression", { thresholdBytes: -1 }],
    ["compression", { thresholdBytes: 1, level: 9 }],
    ["connection", "token"],
    ["connection", null],
    ["connection", []],
    ["connection", { servers: "ws://a" }],
    ["connection", { reconnect: true }],
    ["connection", { timeout: 1 }],
    ["connect", "nats.ws"],
    ["connect", null],
  ])("refuse %s: %j, and name it", async (name, value) => {
    const error = await errorOf(() => readKeyStoreOptions({ [name]: value }));
    expect(error.code).toBe("INVALID_OPTION");
    expect(error.message).toContain(name);
  });

  it("refuse what is not an option, and list those that are", async () => {
    const error = await errorOf(() => readKeyStoreOptions({ server: "ws://a" }));
    expect(error).toMatchObject({
      code: "INVALID_OPTION",
      message: expect.stringMatching(/no option "server".*servers, namespace/) as string,
    });
    await errorOf(() => readKeyStoreOptions({ toString: undefined }));
  });

  it.each([null, 1, "ws://localhost", [], () => 1])("refuse %j in place of the options", async (options) => {
    expect((await errorOf(() => readKeyStoreOptions(options))).code).toBe("INVALID_OPTION");
  });

  it("never show credentials in a message", async () => {
    const error = await errorOf(() => readKeyStoreOptions({ connection: { user: "ada", pass: "secret", reconnect: true } }));
    expect(error.message).not.toMatch(/ada|secret/);
  });

  it("are read once: what the caller changes later changes nothing", () => {
    const servers = ["ws://a"];
    const connection = { user: "u" };
    const settings = readKeyStoreOptions({ servers, connection });
    servers.push("ws://b");
    connection.user = "other";
    expect(settings).toMatchObject({ servers: ["ws://a"], connection: { user: "u" } });
  });

  it("are taken from a frozen object", () => {
    expect(readKeyStoreOptions(Object.freeze({ cacheSize: 5 })).cacheSize).toBe(5);
  });
});

describe("the options of store", () => {
  const { signal } = new AbortController();

  it.each<[Record<string, unknown>]>([
    [{}],
    [{ format: "json" }],
    [{ format: "structured", ttl: null, tags: [], ifVersion: 0 }],
    [{ ttl: 0.001 }],
    [{ ttl: 1e12 }],
    [{ tags: ["a", "", "größe 😀"] }],
    [{ ifVersion: 3 }],
    [{ signal }],
  ])("take %j", (options) => {
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
  ])("refuse %s: %j, and name it", async (name, value) => {
    const error = await errorOf(() => readStoreOptions({ [name]: value }));
    expect(error.code).toBe("INVALID_OPTION");
    expect(error.message).toContain(`"${name}"`);
  });

  it("count undefined as not given, so that it does not take the place of what is kept", () => {
    expect(
      Object.keys(readStoreOptions({ format: undefined, ttl: undefined, tags: undefined, ifVersion: undefined, signal: undefined })),
    ).toEqual([]);
  });
});

it.each<[string, (options: unknown) => unknown, unknown, string]>([
  ["retrieve", readRetrieveOptions, { useCache: false }, "useCache"],
  ["delete", readDeleteOptions, { ifVersion: 1 }, "ifVersion"],
  ["listKeys", readListOptions, { tag: "a" }, "tag"],
])("the options of %s are checked", async (_, read, valid, name) => {
  expect(read(valid)).toEqual(valid);
  expect(read(undefined)).toEqual({});
  for (const invalid of [{ [name]: {} }, { other: 1 }, null, 1]) expect((await errorOf(() => read(invalid))).code).toBe("INVALID_OPTION");
});

it("the options of flush are a signal, and nothing else", async () => {
  const { signal } = new AbortController();
  expect(readSignalOptions({ signal })).toEqual({ signal });
  expect((await errorOf(() => readSignalOptions({ ifVersion: 1 }))).code).toBe("INVALID_OPTION");
});
