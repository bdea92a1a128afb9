import { find } from "../storage/entries/find.ts";
import { lastRevision, readRevision } from "../storage/entries/revisions.ts";
import { ENTRIES, REVISIONS } from "../storage/idb/schema.ts";
import { abortable } from "../util/abort.ts";
import { applyMessages, prepareMessages, type ApplyPorts, type PreparedMessages } from "./apply-messages.ts";
import { forgetRevisions } from "./forget-revisions.ts";
import { LastMessages } from "./last-messages.ts";
import type { StreamApi } from "./stream-api.ts";

/** Brings single keys up to date with the stream. */
export class KeyFetcher {
  readonly #ports: ApplyPorts;
  readonly #api: StreamApi;
  readonly #lastMessages: LastMessages;

  constructor(ports: ApplyPorts, api: StreamApi) {
    this.#ports = ports;
    this.#api = api;
    this.#lastMessages = new LastMessages(api);
  }

  /**
   * Commits the last messages of keys that are newer than what this browser has. Resolves too where the stream cannot be asked.
   * @throws KeyStoreError QUOTA_EXCEEDED, STORAGE_UNAVAILABLE and those of the encryption key; the signal's reason
   */
  async fetch(keys: readonly string[], signal: AbortSignal | undefined): Promise<void> {
    // Anything may be answered, also by others than the stream.
    const messages = await abortable(signal, () => this.#lastMessages.of(keys).catch(() => []));
    if (messages.length === 0) return;
    const prepared = await prepareMessages(this.#ports, messages, signal);
    const { skipped } = await applyMessages(this.#ports, prepared, signal);
    if (skipped === 0 || !(await this.#isStreamGone(prepared))) return;
    await forgetRevisions(this.#ports.database);
    await applyMessages(this.#ports, prepared, signal);
  }

  /** Whether this browser has revisions of a stream that was created again since: they are greater than the last one of the stream. */
  async #isStreamGone({ sound }: PreparedMessages): Promise<boolean> {
    const known = await this.#ports.database.run([ENTRIES, REVISIONS], "readonly", async (transaction) => {
      const keys = sound.map(({ draft }) => draft.key);
      const { rows } = await find(transaction, keys);
      return Promise.all(keys.map(async (key) => lastRevision(rows.get(key), await readRevision(transaction, key))));
    });
    const newest = Math.max(...known.filter((revision, index) => revision > (sound[index]?.message.sequence ?? 0)), 0);
    if (newest === 0) return false;
    const asking = this.#api.use((requests) => this.#api.findStream(requests));
    return asking.then(
      ({ state }) => newest > state.last_seq,
      () => false,
    );
  }
}
