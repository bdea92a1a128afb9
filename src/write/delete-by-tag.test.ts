import { describe, expect, it, vi } from "vitest";
import { Catalog } from "../read/catalog.ts";
import { caught, codeOf } from "../testing/errors.ts";
import { allOutbox, loseStorage, openDatabase, putRows } from "../testing/indexeddb.ts";
import { committed, DATABASE, usePage } from "../testing/stores.ts";

const page = usePage();

const numbered = (count: number): Record<string, number> => Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, n]));

/** Something happens after the entries with the tag were listed, and before the first of them is deleted. */
function afterListing(happen: () => Promise<unknown>): void {
  const { livingKeys } = Catalog.prototype;
  vi.spyOn(Catalog.prototype, "livingKeys").mockImplementationOnce(async function (this: Catalog, ...given) {
    const keys = await livingKeys.apply(this, given);
    await happen();
    return keys;
  });
}

describe("deleteByTag", () => {
  it("leaves an entry that another tab has stored without the tag, deleted or stored first meanwhile", async () => {
    const [one, other] = [page.open(), page.open()];
    await one.bulkStore({ loses: 1, keeps: 1, deleted: 1 }, { tags: ["t"] });
    afterListing(async () => {
      await other.store("loses", 2, { tags: ["u"] });
      await other.store("keeps", 2, { tags: ["t", "u"] });
      await other.delete("deleted");
      await other.store("new", 1, { tags: ["t"] });
    });
    expect(await one.deleteByTag("t")).toBe(1);
    expect(await one.listKeys()).toEqual(["loses", "new"]);
    expect(page.nats.of("deleted").map(({ operation }) => operation)).toEqual(["store", "delete"]);
  });

  it("lets writes and reads of other keys go on while its deletes commit, and those of its keys follow", async () => {
    const store = page.open();
    await store.bulkStore({ a: 1, b: 1 }, { tags: ["t"] });
    const deleting = store.deleteByTag("t");
    const later = [store.store("a", 2), store.store("c", 3)];
    expect(await store.retrieve("c")).toBe(3);
    expect(await store.retrieve("a")).toBe(2);
    expect(await deleting).toBe(2);
    await Promise.all(later);
    expect(await store.listKeys()).toEqual(["a", "c"]);
  });

  it("holds up later writes until it is committed, not until it is published", async () => {
    const store = page.open();
    await store.store("k", 1, { tags: ["t"] });
    page.nats.hold();
    const writing = Promise.all([store.deleteByTag("t"), store.store("k", 2)]);
    await committed("k", 3);
    page.nats.answer();
    expect(await writing).toEqual([1, true]);
  });

  it("opens no connection when no entry has the tag, and lets later writes go on", async () => {
    const store = page.open();
    await store.flush();
    page.nats.dialling = "refuses";
    const offline = vi.fn<() => void>();
    store.addEventListener("offline", offline);
    expect(await store.deleteByTag("t")).toBe(0);
    expect(offline).not.toHaveBeenCalled();
    expect(await store.store("k", 1)).toBe(false);
    expect(offline).toHaveBeenCalledTimes(1);
  });

  it("deletes a damaged row that has the tag", async () => {
    const store = page.open();
    await store.flush();
    await putRows(openDatabase(DATABASE), { k: { tags: ["t"], keys: "k" } });
    expect(await store.deleteByTag("t")).toBe(1);
    expect(await store.exists("k")).toBe(false);
  });

  it("that is aborted before its first delete rejects with the signal's reason, and deletes nothing", async () => {
    const store = page.open();
    await store.bulkStore(numbered(3), { tags: ["t"] });
    const controller = new AbortController();
    const reason = new RangeError("enough");
    afterListing(async () => controller.abort(reason));
    expect(await caught(() => store.deleteByTag("t", { signal: controller.signal }))).toBe(reason);
    expect(await store.listKeys()).toHaveLength(3);
    expect(await store.store("k0", 1)).toBe(true);
  });

  it("that is aborted after its first slice deletes the others, and does not wait for the server", async () => {
    const store = page.open();
    await store.bulkStore(numbered(600), { tags: ["t"] });
    page.nats.hold();
    const controller = new AbortController();
    expect(await store.deleteByTag("t", { signal: controller.signal, onProgress: () => controller.abort() })).toBe(600);
    expect(await store.listKeys()).toEqual([]);
    page.nats.answer();
    await store.flush();
    expect(await allOutbox(openDatabase(DATABASE))).toEqual([]);
  });

  it("rejects STORAGE_UNAVAILABLE without storage, and later writes go on", async () => {
    const store = page.open();
    await store.store("k", 1, { tags: ["t"] });
    const restore = loseStorage();
    expect(await codeOf(() => store.deleteByTag("t"))).toBe("STORAGE_UNAVAILABLE");
    restore();
    expect(await store.store("k", 2)).toBe(true);
  });
});
