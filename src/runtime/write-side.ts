import type { CheckedOptions } from "../options/checked-options.ts";
import { settingsOf } from "../options/defaults.ts";
import { Catalog } from "../read/catalog.ts";
import type { EntryRow } from "../model/row.ts";
import type { Reader } from "../read/reader.ts";
import { Staleness } from "../read/staleness.ts";
import type { Clock } from "../util/clock.ts";
import { encoding } from "../values/captured-value.ts";
import { capture } from "../values/capture.ts";
import { readEncrypted } from "../values/encrypted-payload.ts";
import { encryptionPart } from "../values/encryption-part.ts";
import { encodeCopy } from "../values/pipeline.ts";
import { smallHash } from "../values/sha256.ts";
import { smallSha256 } from "../values/small-sha256.ts";
import { BulkWriter } from "../write/bulk-writer.ts";
import { DraftBuilder } from "../write/draft-builder.ts";
import { Toucher } from "../write/toucher.ts";
import { Writer } from "../write/writer.ts";
import { lateOperations } from "./late-operations.ts";
import type { Page, PageStore } from "./page.ts";
import { writeSideOf } from "./page-write-side.ts";
import { persistOnce } from "./persistence.ts";

export { deleteNamespace } from "./delete-namespace.ts";

/** See derive-key.ts. Its arguments may be anything. */
export async function deriveKey(...given: unknown[]): Promise<CryptoKey> {
  return (await encryptionPart.load()).pbkdf2Key(given[0], given[1], given[2]);
}

/** The parts of a store that exist before the write side has loaded. */
export interface WriteSidePorts {
  readonly options: CheckedOptions;
  readonly clock: Clock;
  readonly page: Page;
  readonly store: PageStore;
  readonly reader: Reader;
  readonly earlyUses: Iterable<string>;
}

export type WriteSide = ReturnType<typeof openWriteSide>;

/** Builds the parts of a store that write, and connects them to the engine that it shares with other stores of the page. */
export function openWriteSide({ options, clock, page, store, reader, earlyUses }: WriteSidePorts) {
  const settings = settingsOf(options);
  smallHash.loaded = smallSha256;
  encoding.loaded = { capture, encodeCopy };
  // Without it, the first write or read that needs it loads it.
  if (settings.encryption !== undefined) encryptionPart.load().catch(() => undefined);
  const shared = writeSideOf(page);
  const engine = shared.engineFor(settings);
  const { commitPublisher, committer, housekeeping, outbox, queue, transport, uses } = engine;
  engine.join(store);
  for (const key of earlyUses) uses.note(key);

  const { cache, expired } = store;
  const writesCommitted = queue.committed;
  const staleness = new Staleness({
    database: page.database,
    cache,
    reader,
    writesCommitted,
    livingKeys: (pattern, tag) => catalog.livingKeys(pattern, tag),
    emit: page.emit,
  });
  const catalog: Catalog = new Catalog({
    clock,
    database: page.database,
    committer,
    writesCommitted,
    reader,
    expired,
    staleness,
    countWrites: () => outbox.count(),
  });
  const persist = settings.persist ? persistOnce() : () => undefined;
  const writerPorts = {
    drafts: new DraftBuilder({
      settings,
      writer: cache,
      maxMessageBytes: () => Math.min(settings.maxPayloadBytes, transport.maxMessageBytes),
      useTime: () => uses.now(),
    }),
    queue,
    committer,
    publisher: commitPublisher,
    connectAhead: () => {
      persist();
      // A page that ends has time for the commit at most. Opening a socket takes as long as all that comes before the commit.
      return page.inBrowser && !shared.isPageEnding ? commitPublisher.connectAhead() : () => undefined;
    },
    formatOf: (key: string) => catalog.formatOf(key),
    orderWrite: () => staleness.orderWrite(),
  };

  const operations = lateOperations({
    writer: new Writer(writerPorts),
    bulkWriter: new BulkWriter(writerPorts),
    toucher: new Toucher({ database: page.database, clock, queue, reader, useTime: () => uses.now(), emit: page.emit }),
    catalog,
    staleness,
    housekeeping,
    outbox,
    ping: () => transport.ping(),
    async flush() {
      await writesCommitted();
      const published = await engine.flush();
      return { published, ...(await outbox.count()) };
    },
  });

  return {
    /** The operations of the store that load with the write side. */
    operations,
    writesCommitted,
    /** `isStale(key, version)`: for `retrieveOrStore`. */
    staleness,
    housekeeping,
    uses,
    readEncrypted: (key: string, row: EntryRow) => readEncrypted(key, row, settings),
    /** Begins the work in the background. */
    start(): void {
      shared.begin();
      engine.start();
    },
    /** Ends what no other store needs. Operations under way must have ended. */
    close: () => engine.leave(store),
  };
}
