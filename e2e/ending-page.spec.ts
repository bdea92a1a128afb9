import type { Page } from "@playwright/test";
import { expect, openStoreIn, test } from "./support/fixtures.ts";

/** An app may listen before it opens a store. */
async function storeInEvent(page: Page, type: "pagehide" | "visibilitychange", key: string, size: number): Promise<void> {
  await page.evaluate(
    ([type, key, size]) => {
      const target = type === "pagehide" ? globalThis : document;
      target.addEventListener(type, () => void store.store(key, "x".repeat(size)), { once: true });
    },
    [type, key, size] as const,
  );
}

/** Ends the page as far as its scripts can see. @returns the requests of the first transaction, and where the task of the events ends */
function requestsAtEnd(page: Page): Promise<string[]> {
  return page.evaluate(async () => {
    const log: string[] = [];
    let followed: IDBTransaction | undefined;
    const { transaction } = IDBDatabase.prototype;
    IDBDatabase.prototype.transaction = function (...given) {
      const started = transaction.apply(this, given);
      followed ??= started;
      return started;
    };
    const follow = (prototype: object, names: readonly string[], transactionOf: (object: never) => IDBTransaction): void => {
      const methods = prototype as Record<string, (...given: unknown[]) => unknown>;
      for (const name of names) {
        const method = methods[name]!;
        methods[name] = function (...given) {
          if (transactionOf(this as never) === followed) log.push(name);
          return method.apply(this, given);
        };
      }
    };
    follow(IDBObjectStore.prototype, ["get", "add", "put", "delete", "openCursor"], (table: IDBObjectStore) => table.transaction);
    follow(IDBIndex.prototype, ["get", "getKey"], (index: IDBIndex) => index.objectStore.transaction);
    follow(IDBTransaction.prototype, ["commit"], (own: IDBTransaction) => own);

    globalThis.dispatchEvent(new PageTransitionEvent("pagehide"));
    document.dispatchEvent(new Event("visibilitychange"));
    await new Promise((resolve) => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = resolve;
      port2.postMessage(undefined);
    });
    log.push("next task");
    await new Promise((resolve) => followed!.addEventListener("complete", resolve));
    return log;
  });
}

/** A page that ends may not live to receive the results of requests, so that each later result on which a commit waits may lose it. */
for (const type of ["pagehide", "visibilitychange"] as const) {
  for (const size of [20, 100_000]) {
    test(`A draft of ${size} characters that is stored in ${type} waits for the results of one task's requests before it commits`, async ({
      openPage,
      nats,
      namespace,
    }) => {
      const atEnd = async (key: string, earlier: readonly string[]): Promise<string[]> => {
        const page = await openPage();
        await storeInEvent(page, type, key, size);
        // Without sweeps: the draft's transaction is the first one.
        await openStoreIn(page, { servers: nats.wsUrl, namespace, sweepIntervalMs: 0 });
        for (const name of earlier) await page.evaluate((name) => store.store(name, 1), name);
        await page.evaluate(() => store.flush());
        return requestsAtEnd(page);
      };
      expect(await atEnd("new", []), "the first write of a page").toEqual(["get", "get", "get", "next task", "put", "put", "commit"]);
      expect(await atEnd("newer", ["other"]), "a new key").toEqual(["add", "put", "get", "next task", "commit"]);
      expect(await atEnd("old", ["old"]), "an existing key").toEqual(["get", "get", "get", "next task", "put", "put", "commit"]);
    });
  }
}
