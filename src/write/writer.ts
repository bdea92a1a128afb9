import { KeyFormat } from "../model/metadata.ts";
import type { DeleteOptions } from "../options/types.ts";
import type { CommitPublisher } from "../relay/commit-publisher.ts";
import type { Committer } from "../storage/commit/committer.ts";
import type { Commit, Draft } from "../storage/commit/draft.ts";
import { unlessAborted } from "../util/abort.ts";
import type { CapturedValue } from "../values/captured-value.ts";
import type { DraftBuilder } from "./draft-builder.ts";
import type { KeyQueue } from "./key-queue.ts";
import { FormatChanged, type RowOptions } from "./row-builder.ts";
import { whenPublished, type StreamDraft, type WriteToStream } from "./stream-write.ts";

export interface WriterPorts {
  readonly drafts: Pick<DraftBuilder, "prepareStore" | "delete">;
  readonly queue: Pick<KeyQueue, "enter">;
  readonly committer: Pick<Committer, "commit" | "durable">;
  readonly publisher: Pick<CommitPublisher, "outcome">;
  /** Opens the connection while the write is prepared. The returned function is called when the write ends. */
  readonly connectAhead: () => () => void;
  readonly isDurable: boolean;
  /** Durable mode: publishes before it commits. */
  readonly toStream: WriteToStream;
  readonly formatOf: (key: string) => Promise<KeyFormat | undefined>;
  /** Called with each write. The returned function orders its draft after the invalidations that were called before. */
  readonly orderWrite: () => (draft: Draft) => Draft;
}

/** Writes one key: prepares the draft, commits it in its turn, and waits for the result of publishing it. */
export class Writer {
  readonly #ports: WriterPorts;

  constructor(ports: WriterPorts) {
    this.#ports = ports;
  }

  /**
   * @param value captured in `options.format`, or in the default format
   * @param onCommitted called when the write is committed, before it is published; with `ifRevision` it is published by then
   */
  async store(key: string, value: CapturedValue, options: RowOptions, onCommitted?: () => void): Promise<boolean> {
    const { format = KeyFormat.JSON, signal } = options;
    signal?.throwIfAborted();
    // An invalid value opens no connection.
    const payload = value(format);
    const prepare = async () => (await this.#ports.drafts.prepareStore(key, payload, format, options)).finish();
    return (await this.#write(key, options, prepare, onCommitted)).isConfirmed;
  }

  /** Stores with the format, ttl and tags that the key has, unless the options give them. */
  async update(key: string, value: CapturedValue, options: RowOptions): Promise<boolean> {
    for (;;) {
      try {
        const { isConfirmed } = await this.#write(key, { ...options, isUpdate: true }, async (earlierCommitted) => {
          let { format } = options;
          if (format === undefined) {
            await earlierCommitted;
            format = (await this.#ports.formatOf(key)) ?? KeyFormat.JSON;
          }
          return (await this.#ports.drafts.prepareStore(key, value(format), format, options, true)).finish();
        });
        return isConfirmed;
      } catch (error) {
        if (!(error instanceof FormatChanged)) throw error;
      }
    }
  }

  /** @returns whether the key existed, and in durable mode also whether the stream has acknowledged the delete */
  async delete(key: string, options: DeleteOptions): Promise<boolean> {
    const draft = this.#ports.drafts.delete(key, options.ifVersion);
    const { existed, isConfirmed: isAcknowledged } = await this.#write(key, options, async () => draft);
    return existed && (isAcknowledged || !this.#ports.isDurable);
  }

  /**
   * @param prepare makes the draft; `earlierCommitted` resolves when earlier writes of the key are committed
   * @returns whether the key existed, and whether the server has confirmed the write
   */
  async #write(
    key: string,
    { ifRevision, isUpdate = false, signal }: Pick<RowOptions, "ifRevision" | "signal"> & Pick<StreamDraft, "isUpdate">,
    prepare: (earlierCommitted: Promise<unknown>) => Promise<Draft>,
    onCommitted?: () => void,
  ): Promise<{ existed: boolean; isConfirmed: boolean }> {
    const { queue, committer, connectAhead, orderWrite, toStream } = this.#ports;
    signal?.throwIfAborted();
    const ordered = orderWrite();
    const release = connectAhead();
    const place = queue.enter([key]);
    let end = (): void => {
      place.leave();
      release();
    };
    try {
      const draft = ordered(await prepare(place.earlierCommitted));
      if (ifRevision !== undefined) {
        const work = () => toStream([{ draft, ifRevision, isUpdate }], false);
        const published = whenPublished(place, signal, work, end);
        end = () => undefined;
        const [result] = await published;
        if (result?.status !== "fulfilled") throw result?.reason;
        onCommitted?.();
        return { ...result.value, isConfirmed: true };
      }
      await place.turn;
      const committing = committer.commit([draft], signal);
      place.handedOver();
      const [commit] = (await committing) as [Commit];
      place.leave();
      onCommitted?.();
      return { existed: commit.replaced !== undefined, isConfirmed: await isConfirmed(this.#ports, commit, signal) };
    } finally {
      end();
    }
  }
}

/**
 * Whether the server has confirmed a commit. An aborted signal ends the wait for the server.
 * @throws KeyStoreError PUBLISH_REJECTED
 */
export async function isConfirmed(
  { committer, publisher }: Pick<WriterPorts, "committer" | "publisher">,
  commit: Commit,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const outcome = await unlessAborted<boolean | undefined>(publisher.outcome(commit), signal, () => undefined);
  // What resolves false must be on the disk all the same.
  if (outcome === undefined) await committer.durable(commit);
  return outcome === true;
}
