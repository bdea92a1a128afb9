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

export interface WriterPorts {
  readonly drafts: Pick<DraftBuilder, "prepareStore" | "delete">;
  readonly queue: Pick<KeyQueue, "enter">;
  readonly committer: Pick<Committer, "commit" | "durable">;
  readonly publisher: Pick<CommitPublisher, "outcome">;
  /** Opens the connection while the write is prepared. The returned function is called when the write ends. */
  readonly connectAhead: () => () => void;
  readonly isDurable: boolean;
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
   * @param onCommitted called before the write is published
   */
  async store(key: string, value: CapturedValue, options: RowOptions, onCommitted?: (commit: Commit) => void): Promise<boolean> {
    const { format = KeyFormat.JSON, signal } = options;
    signal?.throwIfAborted();
    // An invalid value opens no connection.
    const payload = value(format);
    const prepare = async () => (await this.#ports.drafts.prepareStore(key, payload, format, options)).finish();
    return (await this.#write(key, signal, prepare, onCommitted)).isConfirmed;
  }

  /** Stores with the format, ttl and tags that the key has, unless the options give them. */
  async update(key: string, value: CapturedValue, options: RowOptions): Promise<boolean> {
    for (;;) {
      try {
        const { isConfirmed } = await this.#write(key, options.signal, async (earlierCommitted) => {
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
  async delete(key: string, { ifVersion, signal }: DeleteOptions): Promise<boolean> {
    const draft = this.#ports.drafts.delete(key, ifVersion);
    const { commit, isConfirmed: isAcknowledged } = await this.#write(key, signal, async () => draft);
    return commit.replaced !== undefined && (isAcknowledged || !this.#ports.isDurable);
  }

  /**
   * @param prepare makes the draft; `earlierCommitted` resolves when earlier writes of the key are committed
   * @returns the commit, and whether the server has confirmed it
   */
  async #write(
    key: string,
    signal: AbortSignal | undefined,
    prepare: (earlierCommitted: Promise<unknown>) => Promise<Draft>,
    onCommitted?: (commit: Commit) => void,
  ): Promise<{ commit: Commit; isConfirmed: boolean }> {
    const { queue, committer, connectAhead, orderWrite } = this.#ports;
    signal?.throwIfAborted();
    const ordered = orderWrite();
    const release = connectAhead();
    const place = queue.enter([key]);
    try {
      const draft = ordered(await prepare(place.earlierCommitted));
      await place.turn;
      const committing = committer.commit([draft], signal);
      place.handedOver();
      const [commit] = (await committing) as [Commit];
      place.leave();
      onCommitted?.(commit);
      return { commit, isConfirmed: await isConfirmed(this.#ports, commit, signal) };
    } finally {
      place.leave();
      release();
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
