import { getEventListeners } from "node:events";
import { afterEach, describe, expect, it, vi } from "vitest";
import { smallHash } from "../values/sha256.ts";
import type { NASKeyStore } from "../key-store.ts";
import { caught, codeOf, errorOf } from "../testing/errors.ts";
import { allOutbox, openDatabase } from "../testing/indexeddb.ts";
import { committed, DATABASE, usePage } from "../testing/stores.ts";
import { KeyStoreError } from "../util/errors.ts";

const page = usePage();

const numbered = (count: number): Record<string, number> => Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, n]));

/** A Blob whose bytes come when `read` is called. */
function slowBlob(text: string): { blob: Blob; read: () => void } {
  let read = (): void => undefined;
  const bytes = new Promise<ArrayBuffer>((resolve) => (read = () => resolve(new TextEncoder().encode(text).buffer)));
  const blob = new Blob([text]);
  blob.arrayBuffer = () => bytes;
  return { blob, read };
}

/** What has still to happen. */
let awaited = 0;
afterEach(() => {
  if (awaited > 0) throw new Error("Nothing was hashed by crypto.subtle.");
});

/** Something happens while the next write is hashed: after it has been checked, and before it commits. */
function duringHash(happen: () => Promise<unknown>): void {
  smallHash.loaded = undefined;
  awaited++;
  const digest = crypto.subtle.digest.bind(crypto.subtle);
  vi.spyOn(crypto.subtle, "digest").mockImplementationOnce(async (...given) => {
    await happen();
    awaited--;
    return digest(...given);
  });
}

describe("A bulk call", () => {
  it("commits after an earlier store of one of its keys, however long that value takes to encode", async () => {
    const store = page.open();
    const { blob, read } = slowBlob("older");
    const older = store.store("k", blob, { format: "binary" });
    const bulk = store.bulkStore({ another: 1, k: "newer" });
    // Commits after the bulk call, if that does not wait.
    await store.store("unrelated", 1);
    read();
    expect(await Promise.all([older, bulk])).toEqual([
      true,
      new Map([
        ["another", true],
        ["k", true],
      ]),
    ]);
    expect(await store.retrieve("k")).toBe("newer");
    expect(page.nats.of("k").map((envelope) => "metadata" in envelope && envelope.metadata.format)).toEqual(["binary", "json"]);
  });

  it.each<[string, Record<string, unknown>, { ifVersion?: number }, string]>([
    ["before it commits", { k: 1, large: "x".repeat(10_000) }, {}, "PAYLOAD_TOO_LARGE"],
    ["as it commits", { k: 1 }, { ifVersion: 7 }, "VERSION_CONFLICT"],
    ["in its second slice", { ...numbered(300), k: 1 }, { ifVersion: 0 }, "VERSION_CONFLICT"],
  ])("that fails %s lets later writes of its keys go on", async (_, items, options, code) => {
    const store = page.open({ maxPayloadBytes: 5_000 });
    await store.store("k", 0);
    const bulk = codeOf(() => store.bulkStore(items, options));
    const later = [store.store("k", 2), store.update("k", 3), store.bulkStore({ k: 4 }), store.delete("k")];
    expect(await bulk).toBe(code);
    expect(await Promise.all(later)).toEqual([true, true, new Map([["k", true]]), true]);
  });

  it("that fails releases the connection", async () => {
    const store = page.open();
    await store.ping();
    expect(await codeOf(() => store.bulkStore({ k: 1 }, { ifVersion: 7 }))).toBe("VERSION_CONFLICT");
    await page.nats.closed();
  });

  it("that fails part-way after its signal was aborted reports the keys committed before as not confirmed", async () => {
    const store = page.open();
    await store.store("k500", 0);
    page.nats.hold();
    const controller = new AbortController();
    const error = await errorOf(() =>
      store.bulkStore(numbered(512), { ifVersion: 0, signal: controller.signal, onProgress: () => controller.abort() }),
    );
    const before = Object.keys(numbered(256)).map((key) => [key, false]);
    expect(error.code).toBe("VERSION_CONFLICT");
    expect([...(error.results ?? [])]).toEqual(before);
    page.nats.answer();
    await store.flush();
    expect(await allOutbox(openDatabase(DATABASE))).toEqual([]);
    expect([...(error.results ?? [])]).toEqual(before);
  });

  it("whose second slice cannot be hashed names the keys of the first, whose commit is under way", async () => {
    const store = page.open();
    const { digest } = crypto.subtle;
    vi.spyOn(crypto.subtle, "digest").mockImplementation(async (name, data) => {
      if (data.byteLength > 2_000) throw new KeyStoreError("INSECURE_CONTEXT", "failed");
      return digest(name, data);
    });
    const error = await errorOf(() => store.bulkStore({ ...numbered(256), k256: "x".repeat(2_000) }));
    expect(error.code).toBe("INSECURE_CONTEXT");
    expect([...(error.results?.keys() ?? [])]).toEqual(Object.keys(numbered(256)));
    expect(await store.listKeys()).toHaveLength(256);
  });

  it("commits large values in slices of about 2 MB", async () => {
    const store = page.open();
    const told: [number, number][] = [];
    const items = Object.fromEntries(Array.from({ length: 5 }, (_, n) => [`k${n}`, "x".repeat(900_000)]));
    await store.bulkStore(items, { format: "text", onProgress: (...progress) => told.push(progress) });
    expect(told).toEqual([
      [2, 5],
      [4, 5],
      [5, 5],
    ]);
  });

  it("listens to its signal a bounded number of times, and not after it has ended", async () => {
    const store = page.open();
    const { signal } = new AbortController();
    page.nats.hold();
    const writing = store.bulkStore(numbered(300), { signal });
    await page.nats.received(300);
    expect(getEventListeners(signal, "abort").length).toBeLessThan(10);
    page.nats.answer();
    await writing;
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  it("that is aborted after its first slice commits the others, and resolves false for what is not confirmed", async () => {
    page.nats.hold();
    const store = page.open();
    const controller = new AbortController();
    const items = numbered(1_000);
    const results = await store.bulkStore(items, { signal: controller.signal, onProgress: () => controller.abort() });
    expect(results).toEqual(new Map(Object.keys(items).map((key) => [key, false])));
    expect(await store.listKeys()).toHaveLength(1_000);
    page.nats.answer();
    await store.flush();
    expect(await allOutbox(openDatabase(DATABASE))).toEqual([]);
    expect(new Set(page.nats.log).size).toBe(1_000);
  });
});

describe("An update without a format", () => {
  it("uses the format that another tab stored meanwhile", async () => {
    const [one, other] = [page.open(), page.open()];
    await one.store("k", { a: 1 });
    duringHash(() => other.store("k", "their text", { format: "text", tags: ["theirs"] }));
    expect(await one.update("k", "new")).toBe(true);
    expect(await one.getMetadata("k")).toMatchObject({ format: "text", size: 3, version: 3, tags: ["theirs"] });
    expect(await one.retrieve("k", { useCache: false })).toBe("new");
  });

  it("is refused when its value does not fit the format that another tab stored meanwhile", async () => {
    const [one, other] = [page.open(), page.open()];
    await one.store("k", 1);
    duringHash(() => other.store("k", new Uint8Array([1, 2]), { format: "binary" }));
    expect(await codeOf(() => one.update("k", { a: 1 }))).toBe("INVALID_VALUE");
    expect(await one.retrieve("k", { useCache: false })).toEqual(new Uint8Array([1, 2]));
    expect(await one.store("k", 2)).toBe(true);
  });

  it("keeps its own format if one is given, whatever another tab stored meanwhile", async () => {
    const [one, other] = [page.open(), page.open()];
    await one.store("k", 1);
    duringHash(() => other.store("k", "their text", { format: "text" }));
    expect(await one.update("k", { a: 1 }, { format: "json" })).toBe(true);
    expect(await one.retrieve("k", { useCache: false })).toEqual({ a: 1 });
  });
});

it.each<[string, (store: NASKeyStore, signal: AbortSignal) => Promise<unknown>]>([
  ["a bulk call", (store, signal) => store.bulkStore(numbered(600), { signal })],
  ["a store", (store, signal) => store.store("k", 1, { signal })],
  ["an update", (store, signal) => store.update("k", 1, { signal })],
])("%s that is aborted while it is hashed rejects with the signal's reason, and commits nothing", async (_, write) => {
  const store = page.open();
  await store.flush();
  const controller = new AbortController();
  const reason = new RangeError("enough");
  duringHash(async () => controller.abort(reason));
  expect(await caught(() => write(store, controller.signal))).toBe(reason);
  expect(await store.listKeys()).toEqual([]);
  expect(page.nats.log).toEqual([]);
});

describe("bulkStore", () => {
  it("holds up later writes of its keys until it is committed, not until it is published", async () => {
    page.nats.hold();
    const store = page.open();
    const writing = Promise.all([store.bulkStore({ k: 1 }), store.store("k", 2)]);
    await committed("k", 2);
    page.nats.answer();
    expect(await writing).toEqual([new Map([["k", true]]), true]);
  });

  it("rejects a value that is too large before anything is written", async () => {
    const store = page.open({ maxPayloadBytes: 10_000 });
    const items = Object.fromEntries(Array.from({ length: 600 }, (_, n) => [`k${n}`, n === 599 ? "x".repeat(15_000) : n]));
    expect(await codeOf(() => store.bulkStore(items))).toBe("PAYLOAD_TOO_LARGE");
    expect(await store.listKeys()).toEqual([]);
  });
});
