import { describe, expect, it, vi } from "vitest";
import { caught, codeOf } from "../testing/errors.ts";
import { schema } from "../testing/schemas.ts";
import { listen, usePage } from "../testing/stores.ts";
import { KeyStoreError } from "../util/errors.ts";
import { newKey } from "../testing/keys.ts";
import { encryptionPart } from "../values/encryption-part.ts";
import { gzipPart } from "../values/gzip-part.ts";
import { schemaPart } from "../read/lazy-schema-checks.ts";
import { writeSidePart } from "./runtime.ts";

const page = usePage();
const LONG = "long ".repeat(1_000);

describe("A part that cannot be loaded", () => {
  it("is not treated as damage: writes stay queued, and reads are tried again", async () => {
    page.nats.dialling = "refuses";
    const store = page.open({ compression: true, cacheSize: 0 });
    await store.store("k", LONG);
    await store.close();

    page.nats.dialling = "answers";
    const missing = vi
      .spyOn(gzipPart, "load")
      .mockImplementation(() => Promise.reject(new KeyStoreError("STORAGE_UNAVAILABLE", "could not be loaded")));
    const again = page.open({ compression: true, cacheSize: 0 });
    const events = listen(again);
    await again.flush().catch(() => undefined);
    expect(await again.pendingWrites()).toMatchObject([{ key: "k", rejected: false }]);
    expect(await caught(() => again.retrieve("k"))).toBeInstanceOf(Error);
    expect(events.filter(({ type }) => type === "corrupt" || type === "rejected")).toEqual([]);
    // Without gzip a payload is stored as it is.
    expect(await again.store("other", LONG)).toBe(true);

    missing.mockRestore();
    expect(await again.retrieve("k")).toBe(LONG);
    await again.flush();
    expect(await again.pendingWrites()).toEqual([]);
  });
});

describe("The encryption part", () => {
  it("makes writes and reads of encrypted entries reject while it cannot be loaded, and nothing is stored in plain text", async () => {
    const encryption = { key: await newKey() };
    await page.open({ encryption }).store("k", "secret");
    const missing = vi
      .spyOn(encryptionPart, "load")
      .mockImplementation(() => Promise.reject(new KeyStoreError("STORAGE_UNAVAILABLE", "could not be loaded")));
    const store = page.open({ encryption });
    const events = listen(store);
    expect(await codeOf(() => store.store("other", "secret"))).toBe("STORAGE_UNAVAILABLE");
    expect(await codeOf(() => store.bulkStore({ other: "secret" }))).toBe("STORAGE_UNAVAILABLE");
    expect(await codeOf(() => store.retrieve("k"))).toBe("STORAGE_UNAVAILABLE");
    expect(await store.listKeys()).toEqual(["k"]);
    expect(events).toEqual([]);

    missing.mockRestore();
    expect(await store.retrieve("k")).toBe("secret");
    expect(await store.store("other", "secret")).toBe(true);
  });
});

describe("The checks of schemas", () => {
  it("make writes and reads reject while they cannot be loaded, change nothing, and load with a later call", async () => {
    await page.open().store("k", 1);
    const missing = vi
      .spyOn(schemaPart, "load")
      .mockImplementation(() => Promise.reject(new KeyStoreError("STORAGE_UNAVAILABLE", "could not be loaded")));
    const store = page.open({ schemas: { "*": schema((value) => ({ value })) } });
    expect(await codeOf(() => store.store("k", 2))).toBe("STORAGE_UNAVAILABLE");
    expect(await codeOf(() => store.retrieve("k"))).toBe("STORAGE_UNAVAILABLE");
    expect(await store.exists("k")).toBe(true);

    missing.mockRestore();
    expect(await store.retrieve("k")).toBe(1);
    expect(await store.store("k", 3)).toBe(true);
  });
});

describe("The write side", () => {
  it("makes writes reject while it cannot be loaded, does not affect retrieve, and loads with a later call", async () => {
    await page.open().store("k", 1);
    const missing = vi
      .spyOn(writeSidePart, "load")
      .mockImplementation(() => Promise.reject(new KeyStoreError("STORAGE_UNAVAILABLE", "could not be loaded")));
    const store = page.open({ cacheSize: 0 });
    expect(await codeOf(() => store.store("k", 2))).toBe("STORAGE_UNAVAILABLE");
    expect(await codeOf(() => store.flush())).toBe("STORAGE_UNAVAILABLE");
    expect(await store.retrieve("k")).toBe(1);

    missing.mockRestore();
    expect(await store.store("k", 3)).toBe(true);
    expect(await store.retrieve("k")).toBe(3);
  });

  it("counts reads from before it has loaded as uses, and keeps the order of writes from before it has loaded", async () => {
    const earlier = page.open();
    await earlier.bulkStore({ a: 1, b: 2, c: 3 });
    // Records that these entries are confirmed, so that they may be evicted.
    await earlier.flush();
    await page.clock.advance(1_000);
    const writeSide = await writeSidePart.load();
    let arrive = (): void => undefined;
    const arrival = new Promise<void>((resolve) => (arrive = resolve));
    vi.spyOn(writeSidePart, "load").mockImplementation(async () => {
      await arrival;
      return writeSide;
    });
    const store = page.open({ maxEntries: 3, cacheSize: 0 });
    expect(await store.retrieve("a")).toBe(1);
    const writing = [store.store("d", 1), store.store("d", 2), store.update("d", 3)];
    arrive();
    expect(await Promise.all(writing)).toEqual([true, true, true]);
    await page.evicted();
    expect(await store.listKeys()).toEqual(["a", "c", "d"]);
    expect(await store.retrieve("d")).toBe(3);
  });
});
