import type { Page } from "@playwright/test";

/** Calls every operation of the page's `store`, then closes it. Resolves for each to "resolved", the code of its KeyStoreError, or another error. */
export function outcomesOfOperations(page: Pick<Page, "evaluate">, namespace: string): Promise<Record<string, string>> {
  return page.evaluate(async (namespace) => {
    const valid: Record<string, unknown[]> = {
      store: ["k", 1],
      update: ["k", 1],
      bulkStore: [{ k: 1 }],
      bulkRetrieve: [["k"]],
      bulkDelete: [["k"]],
      import: [[]],
      listKeys: [],
      flush: [],
      retrieveOrStore: ["k", () => 1],
      invalidate: [{ tag: "k" }],
    };
    const { prototype } = keystore.NASKeyStore;
    const names = Object.getOwnPropertyNames(prototype).filter(
      (name) => !["constructor", "close", "getCacheStats", "addEventListener"].includes(name),
    );
    const outcomes: Record<string, string> = {};
    const note = async (name: string, work: () => unknown): Promise<void> => {
      const refusal = await aids.refusalOf(work);
      outcomes[name] =
        refusal === undefined ? "resolved" : ((refusal.isKeyStoreError ? refusal.code : undefined) ?? JSON.stringify(refusal));
    };
    for (const name of names) {
      const call = (): unknown => (Reflect.get(prototype, name) as (...args: unknown[]) => unknown).apply(store, valid[name] ?? ["k"]);
      const isIteration = name === "entries" || name === "export";
      await note(name, () => (isIteration ? (call() as AsyncGenerator).next() : call()));
    }
    await note("destroyNamespace", () => keystore.destroyNamespace(namespace));
    await note("close", () => store.close());
    return outcomes;
  }, namespace);
}

const NEED_NO_STORAGE: ReadonlySet<string> = new Set(["ping", "close", "retrieveOrStore", "peek", "watch", "import"]);

/** They check first that the store is in durable mode. */
const NEED_DURABLE: ReadonlySet<string> = new Set(["ensureStream", "pull"]);

/** The outcomes where the browser gives the page no storage: all but those that need none; `retrieveOrStore` loads, and `import` has no envelopes. */
export function withoutStorage(outcomes: Readonly<Record<string, string>>): Record<string, string> {
  const expected = (name: string): string =>
    NEED_NO_STORAGE.has(name) ? "resolved" : NEED_DURABLE.has(name) ? "INVALID_OPTION" : "STORAGE_UNAVAILABLE";
  return Object.fromEntries(Object.keys(outcomes).map((name) => [name, expected(name)]));
}
