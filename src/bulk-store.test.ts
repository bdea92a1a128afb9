import { getEventListeners } from "node:events";
import { afterEach, describe, expect, it, vi } from "vitest";
import { caught, codeOf } from "./testing/errors.ts";
import { allOutbox, openDatabase } from "./testing/indexeddb.ts";
import { DATABASE, until, usePage } from "./testing/stores.ts";

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

describe("a bulk call", () => {
  it("commits after an earlier store of one of its keys, however long that takes to be encoded", async () => {
    const store = page.open();
    const { blob, read } = slowBlob("older");
    const older = store.store("k", blob, { format: "binary" });
    const bulk = store.bulkStore({ another: 1, k: "newer" });
    // Commits after the bulk call, if that does not wait.
    await store.store("unrelated", 1);
    read();
    expect(await Promise.all([older, bulk])).toEqual([true, new Map([["another", true], ["k", true]])]);
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

  it("that fails lets go of the connection", async () => {
    const store = page.open();
    await store.ping();
    expect(await codeOf(() => store.bulkStore({ k: 1 }, { ifVersion: 7 }))).toBe("VERSION_CONFLICT");
    await until(() => page.nats.open === 0);
  });

  it("that is aborted before it commits rejects with the signal's reason, and commits nothing", async () => {
    const store = page.open();
    const controller = new AbortController();
    const reason = new RangeError("enough");
    const writing = store.bulkStore(numbered(600), { signal: controller.signal });
    controller.abort(reason);
    expect(await caught(() => writing)).toBe(reason);
    expect([await store.listKeys(), page.nats.log]).toEqual([[], []]);
  });

  it("listens to its signal a bounded number of times, and not after it has ended", async () => {
    const store = page.open();
    const { signal } = new AbortController();
    page.nats.hold();
    const writing = store.bulkStore(numbered(300), { signal });
    await until(() => page.nats.arrived.length === 300);
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
    await until(async () => (await allOutbox(openDatabase(DATABASE))).length === 0);
    expect(new Set(page.nats.log).size).toBe(1_000);
  });
});

describe("an update without a format", () => {
  /** Large enough that `crypto.subtle` hashes it. */
  const LONG = "n".repeat(2_000);
  let isWritten = false;

  /** Another tab writes after the update has looked at the format of its key, and before it commits. */
  function interpose(write: () => Promise<unknown>): void {
    isWritten = false;
    const digest = crypto.subtle.digest.bind(crypto.subtle);
    vi.spyOn(crypto.subtle, "digest").mockImplementationOnce(async (...given) => {
      await write();
      isWritten = true;
      return digest(...given);
    });
  }
  afterEach(() => {
    if (!isWritten) throw new Error("The other tab's write has not come between.");
  });

  it("takes the format that another tab has stored meanwhile", async () => {
    const [one, other] = [page.open(), page.open()];
    await one.store("k", { a: 1 });
    interpose(() => other.store("k", "their text", { format: "text", tags: ["theirs"] }));
    expect(await one.update("k", LONG)).toBe(true);
    expect(await one.getMetadata("k")).toMatchObject({ format: "text", size: LONG.length, version: 3, tags: ["theirs"] });
    expect(await one.retrieve("k", { useCache: false })).toBe(LONG);
  });

  it("is refused when its value does not suit the format that another tab has stored meanwhile", async () => {
    const [one, other] = [page.open(), page.open()];
    await one.store("k", 1);
    interpose(() => other.store("k", new Uint8Array([1, 2]), { format: "binary" }));
    expect(await codeOf(() => one.update("k", { a: LONG }))).toBe("INVALID_VALUE");
    expect(await one.retrieve("k", { useCache: false })).toEqual(new Uint8Array([1, 2]));
    expect(await one.store("k", 2)).toBe(true);
  });

  it("keeps its own format where it is given, whatever another tab has stored meanwhile", async () => {
    const [one, other] = [page.open(), page.open()];
    await one.store("k", 1);
    interpose(() => other.store("k", "their text", { format: "text" }));
    expect(await one.update("k", { a: LONG }, { format: "json" })).toBe(true);
    expect(await one.retrieve("k", { useCache: false })).toEqual({ a: LONG });
  });
});
