import type { CheckedOptions } from "../options/checked-options.ts";
import { isTtl } from "../options/checks.ts";
import { settingsOf } from "../options/defaults.ts";
import { readRetrieveOrStoreOptions } from "../options/late-checks.ts";
import type { RetrieveOrStoreOptions } from "../options/types.ts";
import { Catalog } from "../read/catalog.ts";
import type { LoadOnce } from "../read/load-once.ts";
import { loadOncePart } from "../read/load-once-part.ts";
import { DURABLE_HEADER_BYTES } from "../model/envelope.ts";
import type { Payload } from "../model/metadata.ts";
import type { EntryRow } from "../model/row.ts";
import { LazySchemaChecks } from "../read/lazy-schema-checks.ts";
import type { Checked, Reader } from "../read/reader.ts";
import { Staleness } from "../read/staleness.ts";
import type { Clock } from "../util/clock.ts";
import type { Decoded } from "../values/formats.ts";
import { encoding } from "../values/captured-value.ts";
import { capture } from "../values/capture.ts";
import { exclusively, preferablyAlone } from "../tabs/locks.ts";
import { KeyStoreError } from "../util/errors.ts";
import { readEncrypted } from "../values/encrypted-payload.ts";
import { encryptionPart } from "../values/encryption-part.ts";
import { encodeCopy, readPayload } from "../values/pipeline.ts";
import { smallHash } from "../values/sha256.ts";
import { smallSha256 } from "../values/small-sha256.ts";
import { BulkWriter } from "../write/bulk-writer.ts";
import { DraftBuilder } from "../write/draft-builder.ts";
import { Toucher } from "../write/toucher.ts";
import { Updater } from "../write/updater.ts";
import { Writer } from "../write/writer.ts";
import { BackgroundPull } from "./background-pull.ts";
import { inSteps, lateIterations, type LateIterations, type Runner } from "./late-iterations.ts";
import { lateOperations } from "./late-operations.ts";
import type { Page, PageStore } from "./page.ts";
import { writeSideOf } from "./page-write-side.ts";
import { persistOnce } from "./persistence.ts";
import { StreamOperations } from "./stream-operations.ts";

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

/** How long an update waits for another tab that updates the same key. */
const UPDATE_LOCK_PATIENCE_MS = 1_000;

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
    onInvalidate: shared.invalidating,
    emit: page.emit,
  });
  const payloadOf = (key: string, row: EntryRow): Promise<Payload> =>
    row.encryption === undefined ? readPayload(key, row) : readEncrypted(key, row, settings);
  const catalog: Catalog = new Catalog({
    clock,
    payloadOf,
    database: page.database,
    committer,
    isDurable: settings.durable !== undefined,
    writesCommitted,
    reader,
    expired,
    staleness,
    countWrites: () => outbox.count(),
  });
  const schemaChecks =
    settings.schemas &&
    new LazySchemaChecks({
      schemas: settings.schemas,
      migrate: settings.migrate,
      readEntry: async (key) => {
        const found = await catalog.find(key);
        return found && { payload: await payloadOf(key, found.row), metadata: found.metadata };
      },
      writeBack: (key, payload, given) => migrationWriter.update(key, () => payload, { ...given, isMigration: true }),
    });
  const check = (...read: Parameters<LazySchemaChecks["check"]>): Checked => schemaChecks?.check(...read) ?? read[2];
  const persist = settings.persist ? persistOnce() : () => undefined;
  const importPorts = { settings, clock, committer, queue, useTime: () => uses.now(), persist };
  const stream = new StreamOperations({ ...importPorts, engine, database: page.database, payloadOf });
  const writerPorts = {
    drafts: new DraftBuilder({
      settings,
      writer: cache,
      fit: schemaChecks?.fit,
      maxMessageBytes: () =>
        Math.min(settings.maxPayloadBytes, transport.maxMessageBytes - (settings.durable === undefined ? 0 : DURABLE_HEADER_BYTES)),
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
    isDurable: settings.durable !== undefined,
    toStream: stream.write,
    formatOf: (key: string) => catalog.formatOf(key),
    orderWrite: () => staleness.orderWrite(),
  };

  const { pullEveryMs: everyMs = 0 } = settings.durable ?? {};
  const backgroundPull = new BackgroundPull({ clock, lock: `${page.name}/pull`, everyMs, pull: (signal) => stream.pull({ signal }) });

  const writer = new Writer(writerPorts);
  // An invalidation that was called before the write covers it: nothing was loaded.
  const migrationWriter = new Writer({ ...writerPorts, orderWrite: () => (draft) => draft });
  let loadOnce: LoadOnce | undefined;
  const operations = lateOperations({
    reader,
    writesCommitted,
    writer,
    updater: new Updater({
      ...writerPorts,
      writer,
      instanceId: engine.instanceId,
      reader,
      alone: (key, work) => preferablyAlone(`${page.name}/update/${key}`, work, clock, UPDATE_LOCK_PATIENCE_MS),
    }),
    bulkWriter: new BulkWriter(writerPorts),
    toucher: new Toucher({ database: page.database, clock, queue, reader, useTime: () => uses.now(), emit: page.emit }),
    async retrieveOrStore(...call) {
      const part = await loadOncePart.load();
      loadOnce ??= new part.LoadOnce({
        cache,
        reader,
        writesCommitted,
        store: (...write) => writer.store(...write),
        isStale: (key, version) => staleness.isStale(key, version),
        loadings: shared.loadings,
        exclusively: (key, work, signal) => exclusively(`${page.name}/load/${key}`, work, clock, signal),
        fit: schemaChecks?.fit,
        check,
        readExpired: (key, withinMs) => catalog.readExpired(key, withinMs),
      });
      return loadOnce.retrieveOrStore(...call);
    },
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
    durable: settings.durable,
    stream,
    importPorts,
  });

  const iterations = lateIterations({ database: page.database, committer, reader, staleness, writesCommitted, emit: store.emit });

  return {
    /** The value in memory with which `retrieveOrStore` can answer at once. Undefined if there is none, or if the call is invalid. */
    readCached(key: string, load: unknown, options: unknown): Decoded | undefined {
      const entry = cache.held(key);
      // What its schema refuses is loaded again.
      if (settings.schemas !== undefined) return undefined;
      if (entry === undefined || typeof load !== "function" || !staleness.isKnownFresh(entry) || !mayAnswer(options)) return undefined;
      const cached = reader.readCached(key);
      if (!(cached instanceof Promise)) return cached;
      // The operation itself waits for it.
      cached.catch(() => undefined);
      return undefined;
    },
    check,
    /** The operations of the store that load with the write side. */
    operations,
    iterate: (runner: Runner, name: keyof LateIterations, args: readonly unknown[]) =>
      inSteps(runner, () => (iterations[name] as (...given: readonly unknown[]) => AsyncGenerator)(...args)),
    writesCommitted,
    housekeeping,
    uses,
    /** The payload of a compressed or encrypted row. */
    readEncoded: payloadOf,
    /** Begins the work in the background. */
    start(): void {
      shared.begin();
      engine.start();
      if (everyMs > 0) backgroundPull.start();
    },
    /** Ends what no other store needs. Operations under way must have ended. */
    async close(): Promise<void> {
      await backgroundPull.stop();
      await loadOnce?.close(new KeyStoreError("CLOSED", "The store is closed, and no call waits for the value."));
      await schemaChecks?.end();
      await engine.leave(store);
    },
  };
}

/** Whether the options of a `retrieveOrStore` are valid, and its signal is not aborted. */
function mayAnswer(options: unknown): boolean {
  try {
    return areNumbers(options) || readRetrieveOrStoreOptions(options).signal?.aborted !== true;
  } catch {
    return false;
  }
}

/** Whether valid numbers are all the options there are. Each call passes here: a whole check would take as long as the read. */
function areNumbers(options: unknown): boolean {
  if (options === undefined) return true;
  if (typeof options !== "object" || options === null || Array.isArray(options)) return false;
  for (const name in options) {
    if ((name !== "ttl" && name !== "staleWhileRevalidate") || !isTtl((options as RetrieveOrStoreOptions)[name])) return false;
  }
  return true;
}
