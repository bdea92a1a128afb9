import type { Page } from "@playwright/test";

/** An entry as a reader of the page's `store` sees it. */
export interface StoredEntry {
  /** As JSON. A value that cannot be read: the code of the error. */
  readonly value: string;
  readonly format: string;
  readonly size: number;
  readonly version: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly ttl: number | null;
  readonly tags: readonly string[];
  readonly checksum: string;
  readonly pending: boolean;
  readonly rejected: boolean;
  readonly encrypted: boolean;
  readonly revision: number | null;
}

/** All entries of the page's `store`, by key. They come from IndexedDB, with their checksums verified. */
export async function storedEntries(page: Page): Promise<ReadonlyMap<string, StoredEntry>> {
  const entries = await page.evaluate(async () => {
    const found: [string, StoredEntry][] = [];
    for (let after: string | undefined; ;) {
      const keys = await store.listKeys("*", { limit: 1_000, ...(after === undefined ? undefined : { after }) });
      for (const key of keys) {
        const metadata = await store.getMetadata(key);
        if (metadata === undefined) continue;
        const { format, size, version, createdAt, updatedAt, ttl, tags, checksum, pending, rejected, encrypted } = metadata;
        const value = await store.retrieve(key, { useCache: false }).then(
          (read) => JSON.stringify(read) ?? "undefined",
          ({ code, message }: { code?: string; message: string }) => code ?? message,
        );
        const times = { createdAt: createdAt.toISOString(), updatedAt: updatedAt.toISOString() };
        const revision = metadata.revision ?? null;
        found.push([key, { value, format, size, version, ...times, ttl, tags, checksum, pending, rejected, encrypted, revision }]);
      }
      after = keys.at(-1);
      if (after === undefined) return found;
    }
  });
  return new Map(entries);
}

/** The keys that differ between two stores, with both of their entries; a few of them. */
export function differences<T>(actual: ReadonlyMap<string, T>, expected: ReadonlyMap<string, T>): string[] {
  const keys = [...new Set([...actual.keys(), ...expected.keys()])];
  const different = keys.filter((key) => JSON.stringify(actual.get(key)) !== JSON.stringify(expected.get(key)));
  const shown = different
    .slice(0, 10)
    .map((key) => `${key}: has ${JSON.stringify(actual.get(key))}, not ${JSON.stringify(expected.get(key))}`);
  return different.length > shown.length ? [...shown, `${different.length - shown.length} more`] : shown;
}
