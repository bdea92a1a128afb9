import { abortable } from "../util/abort.ts";
import { applyMessages, prepareMessages, type ApplyPorts } from "./apply-messages.ts";
import { LastMessages } from "./last-messages.ts";
import type { StreamApi } from "./stream-api.ts";

/** Brings single keys up to date with the stream. */
export class KeyFetcher {
  readonly #ports: ApplyPorts;
  readonly #lastMessages: LastMessages;

  constructor(ports: ApplyPorts, api: StreamApi) {
    this.#ports = ports;
    this.#lastMessages = new LastMessages(api);
  }

  /**
   * Commits the last messages of keys that are newer than what this browser has. Resolves too where the stream cannot be asked.
   * @throws KeyStoreError QUOTA_EXCEEDED, STORAGE_UNAVAILABLE and those of the encryption key; the signal's reason
   */
  async fetch(keys: readonly string[], signal: AbortSignal | undefined): Promise<void> {
    // Anything may be answered, also by others than the stream.
    const messages = await abortable(signal, () => this.#lastMessages.of(keys).catch(() => []));
    if (messages.length > 0) await applyMessages(this.#ports, await prepareMessages(this.#ports, messages, signal), signal);
  }
}
