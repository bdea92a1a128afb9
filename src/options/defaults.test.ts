import { describe, expect, it } from "vitest";
import { errorOf } from "../testing/errors.ts";
import { newKey } from "../testing/keys.ts";
import { checkedOptionsOf } from "./checked-options.ts";
import * as defaults from "./defaults.ts";

const settingsOf = (options: unknown): defaults.Settings => defaults.settingsOf(checkedOptionsOf(options));

const connect = async (): Promise<unknown> => undefined;
const holes: unknown[] = [];
holes.length = 2;

describe("The options of a store", () => {
  it("The options of a store have defaults", () => {
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
    expect(settingsOf(undefined)).toMatchObject(defaults);
    expect(settingsOf({})).toMatchObject(defaults);
    expect(settingsOf({ servers: undefined, cacheSize: undefined, connect: undefined, compression: undefined })).toMatchObject(defaults);
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
    [{ encryption: { key: connect } }, { encryption: { key: [connect] } }],
    [{ encryption: { key: [connect, connect], messages: true } }, { encryption: { key: [connect, connect], messages: true } }],
  ])("The options of a store take %j", (given, expected) => {
    expect(settingsOf(given)).toMatchObject(expected);
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
    ["encryption", "secret"],
    ["encryption", null],
    ["encryption", {}],
    ["encryption", { key: "secret" }],
    ["encryption", { key: [] }],
    ["encryption", { key: holes }],
    ["encryption", { key: connect, messages: 1 }],
    ["encryption", { key: connect, salt: "a" }],
    ["schemas", null],
    ["schemas", [1]],
    ["schemas", { "user:*": {} }],
    ["schemas", { "user:*": null }],
    ["migrate", {}],
  ])("The options of a store refuse %s: %j, and name the option", async (name, value) => {
    const error = await errorOf(() => settingsOf({ [name]: value }));
    expect(error).toMatchObject({ code: "INVALID_OPTION", option: name });
    expect(error.message).toMatch(new RegExp(`^The option "${name}" must be .*\\.$`));
  });

  it("The options of a store take an AES-GCM key that encrypts and decrypts, and refuse any other", async () => {
    const key = await newKey();
    expect(settingsOf({ encryption: { key } }).encryption?.key).toEqual([key]);
    const cbc = await crypto.subtle.generateKey({ name: "AES-CBC", length: 256 }, false, ["encrypt", "decrypt"]);
    for (const other of [await newKey(["decrypt"]), await newKey(["encrypt"]), cbc]) {
      expect(await errorOf(() => settingsOf({ encryption: { key: [key, other] } }))).toMatchObject({
        code: "INVALID_OPTION",
        option: "encryption",
      });
    }
  });

  it("The options of a store refuse an unknown option by its name", async () => {
    expect(await errorOf(() => settingsOf({ server: "ws://a" }))).toMatchObject({
      code: "INVALID_OPTION",
      option: "server",
      message: 'Unknown option "server". See KeyStoreOptions.',
    });
    expect(await errorOf(() => settingsOf({ toString: undefined }))).toMatchObject({ code: "INVALID_OPTION", option: "toString" });
  });

  it.each([null, 1, "ws://localhost", [], () => 1])("The options of a store refuse %j instead of an object", async (options) => {
    expect((await errorOf(() => settingsOf(options))).code).toBe("INVALID_OPTION");
  });

  it("The options of a store never show credentials in a message", async () => {
    const error = await errorOf(() => settingsOf({ connection: { user: "ada", pass: "secret", reconnect: true } }));
    expect(error.message).not.toMatch(/ada|secret/);
  });

  it("The options of a store are copied, so that later changes by the caller have no effect", () => {
    const servers = ["ws://a"];
    const connection = { user: "u" };
    const encryption = { key: [connect], messages: true };
    const settings = settingsOf({ servers, connection, encryption });
    servers.push("ws://b");
    encryption.key.length = 0;
    encryption.messages = false;
    connection.user = "other";
    expect(settings).toMatchObject({ servers: ["ws://a"], connection: { user: "u" } });
    expect(settings.encryption).toEqual({ key: [connect], messages: true });
  });

  it("The options of a store are taken from a frozen object", () => {
    expect(settingsOf(Object.freeze({ cacheSize: 5 })).cacheSize).toBe(5);
  });
});
