import { IDBFactory } from "fake-indexeddb";
import { describe, expect, it, vi } from "vitest";

import { get, NAME, put, watchedDatabase } from "../../testing/database.ts";
import { errorOf } from "../../testing/errors.ts";
import { FakeClock } from "../../testing/fake-clock.ts";
import { resultOf, useFreshIndexedDB, watchConnections } from "../../testing/indexeddb.ts";
import { deleteDatabase } from "./delete-database.ts";
import { META, UPGRADES } from "./schema.ts";

useFreshIndexedDB();

describe("Opening a database", () => {
  it("happens once for operations at the same time", async () => {
    const connections = watchConnections();
    const { database } = watchedDatabase();
    await Promise.all([put(database, "a", 1), put(database, "b", 1), get(database, "a")]);
    expect(connections).toHaveLength(1);
  });

  it("is tried again by the next operation when it failed", async () => {
    const { database } = watchedDatabase();
    const broken = vi.spyOn(indexedDB, "open").mockImplementation(() => {
      throw new DOMException("not in this window", "SecurityError");
    });
    const error = await errorOf(() => get(database, "a"));
    expect(error).toMatchObject({ code: "STORAGE_UNAVAILABLE", message: expect.stringContaining("not in this window") as string });
    broken.mockRestore();
    expect(await get(database, "a")).toBeUndefined();
  });

  it("rejects STORAGE_UNAVAILABLE where there is no IndexedDB", async () => {
    vi.stubGlobal("indexedDB", undefined);
    expect(await errorOf(() => get(watchedDatabase().database, "a"))).toMatchObject({
      code: "STORAGE_UNAVAILABLE",
      message: expect.stringContaining("IndexedDB is not available.") as string,
    });
  });

  it("asks for a reload of the page when a newer version wrote the database", async () => {
    const newer = await resultOf(indexedDB.open(NAME, UPGRADES.length + 1));
    newer.close();
    expect(await errorOf(() => get(watchedDatabase().database, "a"))).toMatchObject({
      code: "STORAGE_UNAVAILABLE",
      message: expect.stringContaining("Reload the page.") as string,
    });
  });

  it("rejects after 4 s without an answer, closes a connection that comes later, and is tried again", async () => {
    const { database, clock } = watchedDatabase();
    const hanging = {} as IDBOpenDBRequest;
    const spy = vi.spyOn(indexedDB, "open");
    const asked = new Promise<void>((resolve) =>
      spy.mockImplementationOnce(() => {
        resolve();
        return hanging;
      }),
    );
    const failing = errorOf(() => get(database, "a"));
    await asked;
    await clock.advance(4_000);
    expect(await failing).toMatchObject({
      code: "STORAGE_UNAVAILABLE",
      message: expect.stringContaining("does not answer. Another tab may hold the database.") as string,
    });
    const close = vi.fn<() => void>();
    Object.assign(hanging, { result: { close } });
    hanging.onsuccess?.(new Event("success"));
    expect(close).toHaveBeenCalledTimes(1);
    spy.mockRestore();
    expect(await get(database, "a")).toBeUndefined();
  });

  it("creates a generation that no other database has", async () => {
    const { database, clock } = watchedDatabase();
    const first = await database.run([META], "readonly", (_, generation) => generation);
    await deleteDatabase(NAME, clock);
    const second = await database.run([META], "readonly", (_, generation) => generation);
    expect(first).toMatch(/^[0-9a-f]{32}$/);
    expect(second).not.toBe(first);
  });
});

describe("A database that another page", () => {
  it("deletes is closed at once, and reported as reset when it opens again", async () => {
    const { database, clock, onLost, onReset } = watchedDatabase();
    await put(database, "a", 1);
    await deleteDatabase(NAME, clock);
    expect(onLost).toHaveBeenCalledTimes(1);
    expect(onReset).not.toHaveBeenCalled();
    expect(await get(database, "a")).toBeUndefined();
    expect(onReset).toHaveBeenCalledTimes(1);
    expect(await get(database, "a")).toBeUndefined();
    expect(onReset).toHaveBeenCalledTimes(1);
  });

  it("upgrades is closed at once", async () => {
    const { database, onLost } = watchedDatabase();
    await put(database, "a", 1);
    (await resultOf(indexedDB.open(NAME, UPGRADES.length + 1))).close();
    expect(onLost).toHaveBeenCalledTimes(1);
  });

  it("holds open rejects a deletion after 4 s, with an error that says that the deletion follows", async () => {
    const clock = new FakeClock();
    const requests = vi.spyOn(indexedDB, "deleteDatabase");
    const holder = await resultOf(indexedDB.open(NAME, UPGRADES.length));
    const failing = errorOf(() => deleteDatabase(NAME, clock));
    const request = requests.mock.results[0]?.value as IDBOpenDBRequest;
    await new Promise((resolve) => request.addEventListener("blocked", resolve));
    await clock.advance(4_000);
    const error = await failing;
    expect(error.code).toBe("STORAGE_UNAVAILABLE");
    expect(error.message).toContain("Another tab holds the database. The browser deletes it, with everything stored until then,");
    const deleted = new Promise((resolve) => request.addEventListener("success", resolve));
    holder.close();
    await deleted;
    expect(await indexedDB.databases()).toEqual([]);
  });

  it("clears, with all data of the site, is reported as reset", async () => {
    const connections = watchConnections();
    const { database, onReset, lost } = watchedDatabase();
    await put(database, "a", 1);
    connections[0]?.lose();
    await lost;
    vi.stubGlobal("indexedDB", new IDBFactory());
    expect(await get(database, "a")).toBeUndefined();
    expect(onReset).toHaveBeenCalledTimes(1);
  });
});
