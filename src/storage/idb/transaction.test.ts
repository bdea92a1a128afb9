import { IDBTransaction } from "fake-indexeddb";
import { describe, expect, it, vi } from "vitest";

import { abortByBrowser, get, put, watchedDatabase } from "../../testing/database.ts";
import { codeOf, errorOf } from "../../testing/errors.ts";
import { resultOf, useFreshIndexedDB, watchTransactions } from "../../testing/indexeddb.ts";
import { UnexplainedAbort } from "./errors.ts";
import { ENTRIES, OUTBOX } from "./schema.ts";

useFreshIndexedDB();

describe("A transaction", () => {
  it("keeps what its work wrote, and resolves with the result of the work", async () => {
    const { database } = watchedDatabase();
    await put(database, "a", 1);
    expect(await get(database, "a")).toBe(1);
  });

  it("writes several tables together", async () => {
    const { database } = watchedDatabase();
    await database.run([ENTRIES, OUTBOX], "readwrite", (transaction) => {
      transaction.objectStore(ENTRIES).put(1, "a");
      transaction.objectStore(OUTBOX).put(1, ["me", 1]);
    });
    expect(await get(database, "a")).toBe(1);
  });

  it("changes nothing and rejects with the cause when its work throws", async () => {
    const { database } = watchedDatabase();
    const error = await errorOf(() =>
      database.run([ENTRIES], "readwrite", async (transaction) => {
        await resultOf(transaction.objectStore(ENTRIES).put(1, "a"));
        throw new RangeError("no more");
      }),
    );
    expect(error.cause).toBeInstanceOf(RangeError);
    expect(await get(database, "a")).toBeUndefined();
  });

  it("resolves when it has completed, not when its last request has", async () => {
    const { database } = watchedDatabase();
    let completed = false;
    await database.run([ENTRIES], "readwrite", (transaction) => {
      transaction.addEventListener("complete", () => (completed = true));
      transaction.objectStore(ENTRIES).put(1, "a");
    });
    expect(completed).toBe(true);
  });

  it("is strict when it writes", async () => {
    const transactions = watchTransactions();
    await put(watchedDatabase().database, "a", 1);
    expect(transactions).toHaveBeenLastCalledWith([ENTRIES], "readwrite", { durability: "strict" });
  });

  it("is relaxed when its caller asks for that", async () => {
    const transactions = watchTransactions();
    await watchedDatabase().database.run([ENTRIES], "readwrite", () => undefined, { durability: "relaxed" });
    expect(transactions).toHaveBeenLastCalledWith([ENTRIES], "readwrite", { durability: "relaxed" });
  });

  it("rejects QUOTA_EXCEEDED and changes nothing when the browser aborts it for lack of space", async () => {
    const { database } = watchedDatabase();
    await put(database, "a", 1);
    const error = await errorOf(() =>
      database.run([ENTRIES], "readwrite", (transaction) => {
        transaction.objectStore(ENTRIES).put(2, "a");
        abortByBrowser(transaction, new DOMException("full", "QuotaExceededError"));
      }),
    );
    expect(error.code).toBe("QUOTA_EXCEEDED");
    expect(error.cause).toMatchObject({ name: "QuotaExceededError" });
    expect(await get(database, "a")).toBe(1);
  });

  it("never calls commit(), after which Firefox commits a transaction whose request fails", async () => {
    const commit = vi.spyOn(IDBTransaction.prototype, "commit");
    await put(watchedDatabase().database, "a", 1);
    expect(commit).not.toHaveBeenCalled();
  });

  it("runs once more when the browser aborts it without a reason", async () => {
    const { database } = watchedDatabase();
    let runs = 0;
    await database.run([ENTRIES], "readwrite", (transaction) => {
      transaction.objectStore(ENTRIES).put(2, "a");
      if (++runs === 1) abortByBrowser(transaction, null);
    });
    expect(await get(database, "a")).toBe(2);
  });

  it("rejects STORAGE_UNAVAILABLE and changes nothing when the browser aborts it twice without a reason", async () => {
    const { database } = watchedDatabase();
    await put(database, "a", 1);
    const error = await errorOf(() =>
      database.run([ENTRIES], "readwrite", (transaction) => {
        transaction.objectStore(ENTRIES).put(2, "a");
        abortByBrowser(transaction, null);
      }),
    );
    expect(error).toMatchObject({ code: "STORAGE_UNAVAILABLE", cause: expect.any(UnexplainedAbort) as unknown });
    expect(await get(database, "a")).toBe(1);
  });

  it("rejects with the reason of the abort, not of the request, when the browser aborts it during a request", async () => {
    const { database } = watchedDatabase();
    const work = database.run([ENTRIES], "readwrite", async (transaction) => {
      const request = transaction.objectStore(ENTRIES).put(2, "a");
      abortByBrowser(transaction, new DOMException("full", "QuotaExceededError"));
      await resultOf(request);
    });
    expect(await codeOf(() => work)).toBe("QUOTA_EXCEEDED");
  });

  it("changes nothing when one of its adds fails", async () => {
    const { database } = watchedDatabase();
    await put(database, "a", 1);
    const error = await errorOf(() =>
      database.run([ENTRIES], "readwrite", (transaction) => {
        const entries = transaction.objectStore(ENTRIES);
        entries.put(1, "before");
        entries.add(2, "a");
        entries.put(1, "after");
      }),
    );
    expect(error.cause).toMatchObject({ name: "ConstraintError" });
    expect({ before: await get(database, "before"), a: await get(database, "a"), after: await get(database, "after") }).toEqual({
      before: undefined,
      a: 1,
      after: undefined,
    });
  });
});
