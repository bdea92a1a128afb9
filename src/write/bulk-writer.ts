import { KeyFormat } from "../model/metadata.ts";
import type { EntryRow } from "../model/row.ts";
import type { BulkOptions, ProgressOptions, StoreOptions } from "../options/types.ts";
import { SLICE_BYTES, SLICE_WRITES, type Commit, type Draft } from "../storage/commit/draft.ts";
import { KeyStoreError } from "../util/errors.ts";
import { report } from "../util/progress.ts";
import type { CapturedValue } from "../values/captured-value.ts";
import { Results } from "./bulk-results.ts";
import type { PreparedWrite } from "./draft-builder.ts";
import type { Place } from "./key-queue.ts";
import { whenPublished } from "./stream-write.ts";
import type { WriterPorts } from "./writer.ts";

/** A value of a bulk call, and its options: those of the item, then those of the call. */
export interface BulkValue {
  readonly value: CapturedValue;
  readonly options: StoreOptions;
}

/** `ifRevision`: the write is published before it is committed. */
type BulkWrite = PreparedWrite & Pick<StoreOptions, "ifRevision">;

/** How a bulk call is committed. */
type CallOptions = Pick<BulkOptions, "atomic" | "onProgress" | "signal">;

/**
 * Writes many keys, slice after slice. A slice that cannot be committed ends the call. An atomic call is one slice; in durable mode it is one
 * batch of the stream.
 */
export class BulkWriter {
  readonly #ports: Omit<WriterPorts, "formatOf">;

  constructor(ports: Omit<WriterPorts, "formatOf">) {
    this.#ports = ports;
  }

  /**
   * @returns for each key whether the server has confirmed the write
   * @throws KeyStoreError whose `results` names the keys that were committed before
   */
  async store(values: ReadonlyMap<string, BulkValue>, options: BulkOptions): Promise<Map<string, boolean>> {
    const { drafts, queue } = this.#ports;
    const { signal } = options;
    signal?.throwIfAborted();
    const keys = [...values.keys()];
    if (keys.length === 0) return new Map();
    const payloads = Array.from(values, ([key, { value, options: own }]) => {
      const { format = KeyFormat.JSON } = own;
      return { key, payload: value(format), format, own };
    });

    const prepare = () =>
      Promise.all(
        payloads.map(async ({ key, payload, format, own }): Promise<BulkWrite> => {
          const prepared = await drafts.prepareStore(key, payload, format, own);
          return own.ifRevision === undefined ? prepared : { ...prepared, ifRevision: own.ifRevision };
        }),
      );
    const { confirmed } = await this.#write(queue.enter(keys), prepare, options);
    return new Map(keys.map((key) => [key, confirmed.get(key) ?? false]));
  }

  /**
   * Deletes keys, absent ones too.
   * @returns for each key, in their order, whether it existed, and in durable mode also whether the stream has acknowledged the delete
   * @throws KeyStoreError as `store` does
   */
  async delete(keys: readonly string[], options: ProgressOptions): Promise<Map<string, boolean>> {
    options.signal?.throwIfAborted();
    if (keys.length === 0) return new Map();
    const { drafts, isDurable, queue } = this.#ports;
    const prepared = keys.map((key) => withoutPayload(drafts.delete(key, undefined)));
    const { commits, confirmed } = await this.#write(queue.enter(keys), async () => prepared, options);
    return new Map(
      commits.map(({ draft: { key }, replaced }) => [key, replaced !== undefined && (!isDurable || confirmed.get(key) === true)]),
    );
  }

  /**
   * Deletes the entries that `find` finds once earlier writes are committed, and that still meet the condition when they are deleted.
   * Later writes of these keys wait.
   * @returns the commits. @throws KeyStoreError as `store` does
   */
  async deleteFound(
    find: () => Promise<readonly string[]>,
    condition: (entry: EntryRow) => boolean,
    options: ProgressOptions,
  ): Promise<readonly Commit[]> {
    options.signal?.throwIfAborted();
    const { drafts, queue } = this.#ports;
    const place = queue.enter(undefined);
    let keys: readonly string[] = [];
    try {
      await place.earlierCommitted;
      keys = await find();
      place.narrow(new Set(keys));
      options.signal?.throwIfAborted();
    } catch (error) {
      place.leave();
      throw error;
    }
    if (keys.length === 0) {
      place.leave();
      return [];
    }
    const prepared = keys.map((key) => withoutPayload(onlyIf(condition, drafts.delete(key, undefined))));
    return (await this.#write(place, async () => prepared, options)).commits;
  }

  /** Commits the writes and leaves the place. */
  async #write(place: Place, prepare: () => Promise<readonly BulkWrite[]>, options: CallOptions): Promise<Results> {
    const { atomic = false, signal, onProgress } = options;
    const { connectAhead, isDurable, orderWrite } = this.#ports;
    const ordered = orderWrite();
    const release = connectAhead();
    const results = new Results(this.#ports, signal);
    let leave = (): void => place.leave();
    try {
      const prepared = await prepare();
      const isFirstInStream = ({ ifRevision }: BulkWrite): boolean => ifRevision !== undefined || (atomic && isDurable);
      const usual = prepared.filter((write) => !isFirstInStream(write));
      const inStream = prepared.filter(isFirstInStream);
      let done = 0;
      const committed = (drafts: number): void => report(onProgress, (done += drafts), prepared.length);
      const parts: Promise<unknown>[] = [];
      if (inStream.length > 0) {
        const work = () => this.#writeToStream(inStream, atomic, ordered, results, committed);
        const ended = new Promise<void>((resolve) => parts.push(whenPublished(place, signal, work, resolve)));
        leave = () => void ended.then(() => place.leave());
      }
      await place.turn;
      if (usual.length > 0) {
        const commits = this.#commitSlices(atomic ? [usual] : slices(usual), ordered, signal, (made, drafts) => {
          results.add(made);
          committed(drafts);
        });
        parts.push(commits);
      }
      const [failed] = (await Promise.allSettled(parts)).filter(({ status }) => status === "rejected");
      if (failed !== undefined) throw (failed as PromiseRejectedResult).reason;
      leave();
      await results.settled();
      return results;
    } catch (error) {
      leave();
      await results.settled();
      if (atomic || !(error instanceof KeyStoreError)) throw error;
      const message = `${error.message} Entries committed before: ${results.confirmed.size}, see "results".`;
      throw new KeyStoreError(error.code, message, { ...error, cause: error.cause, results: new Map(results.confirmed) });
    } finally {
      release();
    }
  }

  /** @throws the first error of a write */
  async #writeToStream(
    writes: readonly BulkWrite[],
    atomic: boolean,
    ordered: (draft: Draft) => Draft,
    results: Results,
    committed: (drafts: number) => void,
  ): Promise<void> {
    const drafts = await Promise.all(writes.map(async ({ finish, ifRevision }) => ({ draft: ordered(await finish()), ifRevision })));
    const written = await this.#ports.toStream(drafts, atomic);
    const taken = drafts.filter((_, index) => written[index]?.status === "fulfilled");
    for (const { draft } of taken) results.confirmed.set(draft.key, true);
    if (taken.length > 0) committed(taken.length);
    const failed = written.find(({ status }) => status === "rejected");
    if (failed !== undefined) throw (failed as PromiseRejectedResult).reason;
  }

  /** The drafts of a slice are finished while the slice before it commits, and handed over as soon as that one is written. */
  #commitSlices(
    all: readonly (readonly PreparedWrite[])[],
    ordered: (draft: Draft) => Draft,
    signal: AbortSignal | undefined,
    onCommitted: (commits: readonly Commit[], drafts: number) => void,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const finish = async (index: number): Promise<Draft[]> =>
        (await Promise.all((all[index] ?? []).map((write) => write.finish()))).map(ordered);
      const commit = (index: number, drafts: readonly Draft[]): void => {
        const isLast = index === all.length - 1;
        let isWritten = false;
        let next: readonly Draft[] | undefined;
        const goOn = (): void => {
          if (isWritten && next !== undefined) commit(index + 1, next);
        };
        const onWritten = (): void => {
          isWritten = true;
          goOn();
        };
        // After the first commit, the signal can only end the wait for the server.
        const committing = this.#ports.committer.commit(drafts, index === 0 ? signal : undefined, onWritten).then((commits) => {
          onCommitted(commits, drafts.length);
          if (isLast) resolve();
        });
        committing.catch(reject);
        if (isLast) return;
        finish(index + 1).then(
          (finished) => {
            next = finished;
            goOn();
          },
          // The results must have the slice whose commit is under way.
          (error: unknown) => void committing.then(() => reject(error), reject),
        );
      };
      finish(0).then((drafts) => commit(0, drafts), reject);
    });
  }
}

function withoutPayload(draft: Draft): PreparedWrite {
  return { weight: draft.weight, finish: async () => draft };
}

/** A draft of an entry that meets a condition. Another one stays as it is. */
function onlyIf(condition: (entry: EntryRow) => boolean, draft: Draft): Draft {
  const next: Draft["next"] = (present, ...facts) =>
    present !== undefined && condition(present) ? draft.next(present, ...facts) : undefined;
  return { ...draft, next };
}

function slices(writes: readonly PreparedWrite[]): (readonly PreparedWrite[])[] {
  const all: PreparedWrite[][] = [[]];
  let bytes = 0;
  for (const write of writes) {
    let slice = all.at(-1) as PreparedWrite[];
    if (slice.length === SLICE_WRITES || (slice.length > 0 && bytes + write.weight > SLICE_BYTES)) {
      all.push((slice = []));
      bytes = 0;
    }
    slice.push(write);
    bytes += write.weight;
  }
  return all;
}
