import { describe, expect, it } from "vitest";
import type { NASKeyStore } from "./key-store.ts";
import { errorOf } from "./testing/errors.ts";
import { loseStorage } from "./testing/indexeddb.ts";
import { usePage } from "./testing/stores.ts";

const page = usePage();

describe("The error of a call with a key", () => {
  const calls = (store: NASKeyStore, key: string): (() => Promise<unknown>)[] => [
    () => store.store(key, 1),
    () => store.update(key, 2),
    () => store.delete(key),
    () => store.retrieve(key, { useCache: false }),
    () => store.exists(key),
    () => store.getMetadata(key),
    () => store.retryRejected(key),
    () => store.discardRejected(key),
  ];
  const codesAndKeys = async (store: NASKeyStore): Promise<unknown[]> => {
    const errors = await Promise.all(Array.from({ length: 8 }, (_, n) => errorOf(calls(store, `k${n}`)[n] as () => Promise<unknown>)));
    return errors.map(({ code, key }) => [code, key]);
  };
  const each = (code: string): unknown[] => Array.from({ length: 8 }, (_, n) => [code, `k${n}`]);

  it("has the key, even if all operations fail for the same reason", async () => {
    const store = page.open();
    await store.store("k", 1);
    loseStorage();
    expect(await codesAndKeys(store)).toEqual(each("STORAGE_UNAVAILABLE"));
  });

  it("has the key when the store is closed or an option is wrong", async () => {
    const store = page.open();
    expect(await errorOf(() => store.store("k", 1, { ttl: -1 }))).toMatchObject({ code: "INVALID_OPTION", key: "k" });
    await store.close();
    expect(await codesAndKeys(store)).toEqual(each("CLOSED"));
  });

  it("has no key when the key is invalid", async () => {
    const error = await errorOf(() => page.open().store(5 as never, 1));
    expect(error.code).toBe("INVALID_KEY");
    expect(error.key).toBeUndefined();
  });
});
