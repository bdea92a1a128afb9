import { checkVersion } from "../model/expected-version.ts";
import { KeyFormat } from "../model/metadata.ts";
import type { EntryRow } from "../model/row.ts";
import type { StoreOptions } from "../options/types.ts";
import type { Reader } from "../read/reader.ts";
import type { Commit, Draft } from "../storage/commit/draft.ts";
import { abortable } from "../util/abort.ts";
import { KeyStoreError } from "../util/errors.ts";
import { capture } from "../values/captured-value.ts";
import { UpdateLines } from "./update-lines.ts";
import { isConfirmed, type Writer, type WriterPorts } from "./writer.ts";

export interface UpdaterPorts extends Omit<WriterPorts, "formatOf"> {
  readonly instanceId: string;
  readonly writer: Pick<Writer, "update">;
  readonly reader: Pick<Reader, "readRow" | "decodeRow">;
  /**
   * Runs work while no other tab updates the key, unless that would take too long. Without it, 8 tabs that count together run each function
   * five times, and take 2.5 times as long (measured in Chromium).
   */
  readonly alone: <T>(key: string, work: () => Promise<T>) => Promise<T>;
}

/** Computes the next value of a key from the present one. */
export type Compute = (present: unknown) => unknown;

/** What a function has returned for the present entry: a value, or the promise of one. */
interface Run {
  readonly present: EntryRow | undefined;
  readonly next: unknown;
}

/**
 * Runs of a function that other writes of this engine may overtake, while its promise is under way. A function that is overtaken more often is
 * likely to write its own key, and would run for ever.
 */
const MAX_OVERTAKEN = 100;

/**
 * Updates whose value a function computes. The function runs again when another write came between. A function that returns no promise
 * runs while its call has the place in the queue of the key, so that only other tabs and engines can come between. While a promise is
 * under way, the call has no place: the function may read the key, and nobody else waits for it.
 */
export class Updater {
  readonly #ports: UpdaterPorts;
  readonly #lines = new UpdateLines();

  constructor(ports: UpdaterPorts) {
    this.#ports = ports;
  }

  /** @throws whatever the function throws */
  async update(key: string, compute: Compute, options: StoreOptions): Promise<boolean> {
    const { alone, connectAhead, orderWrite, queue } = this.#ports;
    const { ifRevision, ifVersion, signal } = options;
    signal?.throwIfAborted();
    if (ifRevision !== undefined) return this.#updateOnce(key, compute, options);
    const ordered = orderWrite();
    let place = queue.enter([key]);
    const line = this.#lines.join(key);
    let release: (() => void) | undefined;
    const tries = { overtaken: 0 };
    const commit = (run: Run): Promise<Commit | undefined> => {
      release ??= connectAhead();
      return this.#commit(key, run, options, place.turn, ordered);
    };
    try {
      for (;;) {
        await place.earlierCommitted;
        let promised: Run | undefined;
        let committed = await alone(key, async () => {
          signal?.throwIfAborted();
          // The function of the app that returns the encryption key may wait for a person.
          const run = await abortable(signal, () => this.#run(key, compute, ifVersion, tries));
          if (!isPromise(run.next)) return commit(run);
          promised = run;
          return undefined;
        });
        if (promised !== undefined) {
          const { present, next } = promised;
          place.leave();
          const value = await line.compute(() => abortable(signal, async () => next));
          place = queue.enter([key]);
          committed = await commit({ present, next: value });
        }
        if (committed !== undefined) {
          place.leave();
          line.leave();
          return await isConfirmed(this.#ports, committed, signal);
        }
        if (promised === undefined) continue;
        tries.overtaken ||= 1;
        place.leave();
        await abortable(signal, () => line.earlierLeft);
        place = queue.enter([key]);
      }
    } finally {
      place.leave();
      line.leave();
      release?.();
    }
  }

  /** For one revision, the function runs once. */
  async #updateOnce(key: string, compute: Compute, options: StoreOptions): Promise<boolean> {
    const { queue, writer } = this.#ports;
    const { ifVersion, signal } = options;
    const place = queue.enter([key]);
    // The function may read the key.
    await place.earlierCommitted.finally(() => place.leave());
    const { present, next } = await abortable(signal, () => this.#run(key, compute, ifVersion, { overtaken: 0 }));
    const value = await abortable(signal, async () => next);
    const format = options.format ?? present?.format ?? KeyFormat.JSON;
    return writer.update(key, capture(key, value, format), { ...options, format, ifVersion: present?.version ?? 0 });
  }

  async #run(key: string, compute: Compute, ifVersion: number | undefined, tries: { overtaken: number }): Promise<Run> {
    const { instanceId, reader } = this.#ports;
    const row = await reader.readRow(key);
    if (tries.overtaken > 0 && row?.writeId[0] === instanceId && ++tries.overtaken > MAX_OVERTAKEN) throw selfWriting(key);
    checkVersion(key, row, ifVersion);
    // The entry may have expired since.
    const read = await reader.decodeRow(key, row);
    return { present: read?.row, next: compute(read?.decoded.value) };
  }

  /** @returns undefined: the key no longer has the entry for which the value was computed */
  async #commit(
    key: string,
    { present, next }: Run,
    options: StoreOptions,
    turn: Promise<unknown>,
    ordered: (draft: Draft) => Draft,
  ): Promise<Commit | undefined> {
    const { committer, drafts } = this.#ports;
    const format = options.format ?? present?.format ?? KeyFormat.JSON;
    const ifVersion = options.ifVersion ?? present?.version ?? 0;
    const payload = capture(key, next, format)(format);
    const prepared = await drafts.prepareStore(key, payload, format, { ...options, ifVersion }, true);
    const draft = ordered(over(present, await prepared.finish()));
    await turn;
    try {
      const [commit] = await committer.commit([draft], options.signal);
      return commit;
    } catch (error) {
      const isOvertaken = error instanceof KeyStoreError && error.code === "VERSION_CONFLICT" && options.ifVersion === undefined;
      if (!isOvertaken) throw error;
      return undefined;
    }
  }
}

/** A draft that replaces no other entry. One that was pulled or imported may have the version of the one before. */
function over(present: EntryRow | undefined, draft: Draft): Draft {
  const next: Draft["next"] = (current, ...facts) => {
    if (current?.writeId.join() === present?.writeId.join()) return draft.next(current, ...facts);
    throw new KeyStoreError("VERSION_CONFLICT", "The entry changed while its update was computed. Read the key again, then retry.", {
      key: draft.key,
    });
  };
  return { ...draft, next };
}

function isPromise(value: unknown): boolean {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === "function";
}

function selfWriting(key: string): KeyStoreError {
  return new KeyStoreError(
    "VERSION_CONFLICT",
    `The key was written during each of ${MAX_OVERTAKEN} runs of the function. The function must not write its own key.`,
    { key },
  );
}
