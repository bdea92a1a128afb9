import { bytesOf } from "../values/checksum.ts";
import { messageFor, wireSize } from "../model/envelope.ts";
import { KeyFormat, type Payload } from "../model/metadata.ts";
import { compress, finishPayload, type Compressed, type StoredPayload } from "../values/packing.ts";
import { isDamagedRow, LONG_AGO, type EntryRow } from "../model/row.ts";
import { KeyStoreError } from "../util/errors.ts";
import type { BulkOptions, DeleteOptions, Settings, StoreOptions } from "../options/options.ts";
import { unlessAborted } from "../util/abort.ts";
import type { Dispatcher } from "../relay/dispatcher.ts";
import type { Commit, Draft, NewRow } from "../storage/commit/commit-group.ts";
import type { Committer } from "../storage/commit/committer.ts";
import type { CapturedValue } from "../values/captured-value.ts";
import { WriteOrder } from "./write-order.ts";

/** A bulk call commits so much in one transaction, which holds others up for less than 50 ms (a disk that stalls apart). */
const SLICE_WRITES = 256;
const SLICE_BYTES = 2 * 1024 * 1024;

/** What of a message is not payload or key has fewer bytes than this, tags left out. */
const ENVELOPE_BYTES = 2048;

export interface WriterPorts {
  readonly committer: Committer;
  readonly dispatcher: Dispatcher;
  /** Begins to connect, so that this goes on during hashing and commit; returns what to call when the write is done. */
  readonly connectAhead: () => () => void;
  /** The largest message that can be sent. */
  readonly maxMessageBytes: () => number;
  /** The present, as a time of use. */
  readonly useTime: () => number;
  /** The format in which a key is stored now. */
  readonly formatOf: (key: string) => Promise<KeyFormat | undefined>;
}

/** The way of a write: checked and encoded in the call itself (taken-value.ts), then hashed, committed in its turn, and published. */
export class Writer {
  readonly #settings: Settings;
  readonly #ports: WriterPorts;
  readonly #order = new WriteOrder();

  constructor(settings: Settings, ports: WriterPorts) {
    this.#settings = settings;
    this.#ports = ports;
  }

  /** @param value taken as `options.format`, or the default */
  async store(key: string, value: CapturedValue, options: StoreOptions): Promise<boolean> {
    const { format = KeyFormat.JSON, signal } = options;
    return this.#write(key, signal, async () => (await this.#checkedDraft(key, value(format), format, options)).make());
  }

  /** Stores in the format, with the ttl and the tags that the key has, unless given. */
  async update(key: string, value: CapturedValue, options: StoreOptions): Promise<boolean> {
    for (;;) {
      try {
        return await this.#write(key, options.signal, async (clear) => {
          let { format } = options;
          if (format === undefined) {
            await clear;
            format = (await this.#ports.formatOf(key)) ?? KeyFormat.JSON;
          }
          return (await this.#checkedDraft(key, value(format), format, options, true)).make();
        });
      } catch (error) {
        if (!(error instanceof FormatChanged)) throw error;
      }
    }
  }

  async delete(key: string, { ifVersion, signal }: DeleteOptions): Promise<boolean> {
    const draft: Draft = {
      key,
      operation: "delete",
      weight: 0,
      next: (current, version, now) => {
        checkVersion(key, current, ifVersion);
        return { deletedAt: now, version, expiresAt: LONG_AGO };
      },
    };
    let existed = false;
    await this.#write(
      key,
      signal,
      async () => draft,
      (commit) => (existed = commit.replaced !== undefined),
    );
    return existed;
  }

  /** Stores many under the same options. A slice that cannot be committed ends the call; its error tells what was before. */
  async bulkStore(items: ReadonlyMap<string, CapturedValue>, options: BulkOptions): Promise<Map<string, boolean>> {
    const { format = KeyFormat.JSON, signal, onProgress } = options;
    signal?.throwIfAborted();
    const keys = [...items.keys()];

    const results = new Map<string, boolean>();
    if (keys.length === 0) return results;
    const done = this.#ports.connectAhead();
    const place = this.#order.enter(keys);
    const outcomes: Promise<unknown>[] = [];
    // One listener for the whole call: a signal must not get one for each key.
    const published = (): Promise<unknown> => unlessAborted<unknown>(Promise.all(outcomes), signal, () => undefined);
    try {
      const makers = await Promise.all(Array.from(items, ([key, value]) => this.#checkedDraft(key, value(format), format, options)));
      await place.turn;
      await this.#commitSlices(slices(makers), signal, (commits) => {
        for (const commit of commits) {
          const { key } = commit.draft;
          results.set(key, false);
          outcomes.push(
            this.#ports.dispatcher.outcome(commit).then(
              (isConfirmed) => results.set(key, isConfirmed),
              () => undefined,
            ),
          );
        }
        tell(onProgress, outcomes.length, keys.length);
      });
      place.leave();
      await published();
      return new Map(keys.map((key) => [key, results.get(key) ?? false]));
    } catch (error) {
      place.leave();
      await published();
      if (!(error instanceof KeyStoreError)) throw error;
      const { code, message, key, cause } = error;
      throw new KeyStoreError(code, `${message} Entries committed before: ${results.size}, see "results".`, {
        key,
        cause,
        results: new Map(results),
      });
    } finally {
      done();
    }
  }

  /** Commits one slice after another. The next is hashed meanwhile, and handed over as soon as the one before is written. */
  #commitSlices(
    makers: readonly (readonly DraftMaker[])[],
    signal: AbortSignal | undefined,
    onCommitted: (commits: readonly Commit[]) => void,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const prepare = (index: number): Promise<Draft[]> => Promise.all((makers[index] ?? []).map(({ make }) => make()));
      const commit = (index: number, drafts: readonly Draft[]): void => {
        const isLast = index === makers.length - 1;
        let isWritten = false;
        let next: readonly Draft[] | undefined;
        const goOn = (): void => {
          if (isWritten && next !== undefined) commit(index + 1, next);
        };
        const onWritten = (): void => {
          isWritten = true;
          goOn();
        };
        // Once something is committed the signal can only end the wait for the network.
        this.#ports.committer.commit(drafts, index === 0 ? signal : undefined, onWritten).then((commits) => {
          onCommitted(commits);
          if (isLast) resolve();
        }, reject);
        if (isLast) return;
        prepare(index + 1).then((prepared) => {
          next = prepared;
          goOn();
        }, reject);
      };
      prepare(0).then((drafts) => commit(0, drafts), reject);
    });
  }

  /**
   * @param prepare makes the draft; `clear` resolves when earlier writes of the key are committed
   * @returns whether the server has confirmed it
   */
  async #write(
    key: string,
    signal: AbortSignal | undefined,
    prepare: (clear: Promise<unknown>) => Promise<Draft>,
    onCommitted: (commit: Commit) => void = () => undefined,
  ): Promise<boolean> {
    signal?.throwIfAborted();
    const done = this.#ports.connectAhead();
    const place = this.#order.enter([key]);
    try {
      const draft = await prepare(place.clear);
      await place.turn;
      const committing = this.#ports.committer.commit([draft], signal);
      place.handedOver();
      const [commit] = (await committing) as [Commit];
      place.leave();
      onCommitted(commit);
      return await unlessAborted(this.#ports.dispatcher.outcome(commit), signal, () => false);
    } finally {
      place.leave();
      done();
    }
  }

  /**
   * Refuses here, before anything is written, what can be refused by then; only the hash is left to be made.
   * @throws KeyStoreError PAYLOAD_TOO_LARGE
   */
  async #checkedDraft(
    key: string,
    encoding: Payload | Promise<Payload>,
    format: KeyFormat,
    options: StoreOptions,
    keepsRest = false,
  ): Promise<DraftMaker> {
    const compressed = await compress(format, await encoding, this.#settings.compressAboveBytes);
    this.#checkSize(key, compressed, options.tags ?? []);
    return {
      weight: compressed.payload.length,
      make: async () => this.#draft(key, compressed, await finishPayload(compressed), options, keepsRest),
    };
  }

  #draft(key: string, compressed: Compressed, packed: StoredPayload, options: StoreOptions, keepsRest: boolean): Draft {
    return {
      key,
      operation: "store",
      weight: packed.payload.length,
      payload: compressed.original,
      next: (current, version, now) => {
        checkVersion(key, current, options.ifVersion);
        const sound = current !== undefined && !isDamagedRow(current) ? current : undefined;
        const kept = keepsRest ? sound : undefined;
        if (kept !== undefined && options.format === undefined && kept.format !== packed.format) throw new FormatChanged();
        if (options.tags === undefined && kept?.tags !== undefined) this.#checkSize(key, compressed, kept.tags);
        return makeRow(packed, {
          version,
          now,
          lastUsed: this.#ports.useTime(),
          createdAt: sound?.createdAt ?? now,
          ttl: options.ttl !== undefined ? options.ttl : (kept ?? { ttl: this.#settings.defaultTtl }).ttl,
          tags: options.tags ?? kept?.tags ?? [],
        });
      },
    };
  }

  /**
   * Measures the message as it may become: with the longest numbers.
   * @throws KeyStoreError PAYLOAD_TOO_LARGE
   */
  #checkSize(key: string, { format, original, payload, encoding }: Compressed, tags: readonly string[]): void {
    const max = this.#ports.maxMessageBytes();
    // JSON makes at most six bytes of a UTF-16 unit; only what may be too large is worth measuring.
    const units = payload.length + 2 * key.length + tags.reduce((sum, tag) => sum + tag.length + 1, 0);
    if (units * 6 + ENVELOPE_BYTES <= max) return;
    const most = Number.MAX_SAFE_INTEGER;
    const packed = {
      format,
      payload,
      ...(encoding === undefined ? undefined : { encoding }),
      checksum: ANY_CHECKSUM,
      size: bytesOf(original).length,
    };
    const row = makeRow(packed, { version: most, now: 0, lastUsed: 0, createdAt: 0, ttl: this.#settings.defaultTtl, tags });
    const id = "0".repeat(32);
    const size = wireSize(messageFor(this.#settings.namespace, key, { ...row, writeId: [id, most] }, id));
    if (size <= max) return;
    throw new KeyStoreError(
      "PAYLOAD_TOO_LARGE",
      `The message would have ${size} bytes, at most ${max} are allowed (maxPayloadBytes, or the server's max_payload): ` +
        "store less under one key, or turn compression on.",
      { key },
    );
  }
}

/** A write that has passed all checks. */
interface DraftMaker {
  /** Bytes that it puts into the database, about. */
  readonly weight: number;
  /** @throws KeyStoreError INSECURE_CONTEXT */
  make(): Promise<Draft>;
}

/** As long as any. */
const ANY_CHECKSUM = "0".repeat(64);

/** Another tab stored the key in another format between the look and the commit. */
class FormatChanged extends Error {}

function makeRow(
  packed: StoredPayload,
  facts: Pick<EntryRow, "version" | "createdAt" | "ttl" | "lastUsed"> & { now: number; tags: readonly string[] },
): NewRow<EntryRow> {
  const { version, now, createdAt, ttl, tags, lastUsed } = facts;
  return {
    ...packed,
    version,
    createdAt,
    updatedAt: now,
    ttl,
    // Left out, not undefined or empty: an index costs for every entry that is in it.
    ...(ttl === null ? undefined : { expiresAt: now + ttl * 1000 }),
    ...(tags.length === 0 ? undefined : { tags: [...tags] }),
    lastUsed,
  };
}

function checkVersion(key: string, current: EntryRow | undefined, ifVersion: number | undefined): void {
  const version = current?.version ?? 0;
  if (ifVersion === undefined || ifVersion === version) return;
  throw new KeyStoreError(
    "VERSION_CONFLICT",
    `The key is at version ${version}, not ${ifVersion}${version === 0 ? " (it does not exist)" : ""}: read it again, then retry.`,
    { key },
  );
}

/** Tells how far a bulk call has come. What the callback throws is its own affair. */
function tell(onProgress: BulkOptions["onProgress"], done: number, total: number): void {
  try {
    onProgress?.(done, total);
  } catch (error) {
    reportError(error);
  }
}

function slices(makers: readonly DraftMaker[]): (readonly DraftMaker[])[] {
  const all: DraftMaker[][] = [[]];
  let bytes = 0;
  for (const maker of makers) {
    let slice = all.at(-1) as DraftMaker[];
    if (slice.length === SLICE_WRITES || (slice.length > 0 && bytes + maker.weight > SLICE_BYTES)) {
      all.push((slice = []));
      bytes = 0;
    }
    slice.push(maker);
    bytes += maker.weight;
  }
  return all;
}
