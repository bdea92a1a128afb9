import { createHash } from "node:crypto";

import type { WriteId } from "../model/metadata.ts";
import { LONG_AGO, type EntryRow, type Tombstone } from "../model/row.ts";

/** When the rows of tests were written, unless they say otherwise. */
export const NOW = Date.UTC(2026, 0, 2, 3, 4, 5, 678);

/** An entry's row: a JSON text with all that belongs to it, but for what a test gives. */
export function entryRow(given: Partial<EntryRow> = {}): EntryRow {
  const payload = given.payload ?? '"value"';
  return {
    format: "json",
    payload,
    checksum: sha256Of(payload),
    size: typeof payload === "string" ? new TextEncoder().encode(payload).length : payload.length,
    version: 1,
    createdAt: NOW,
    updatedAt: NOW,
    ttl: null,
    writeId: ["someone", 1],
    lastUsed: NOW,
    ...given,
  };
}

export function tombstone(version: number, writeId: WriteId = ["someone", 1]): Tombstone {
  return { deletedAt: NOW, version, expiresAt: LONG_AGO, writeId };
}

export function sha256Of(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}
