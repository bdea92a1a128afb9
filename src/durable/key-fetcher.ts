import { abortable } from "../util/abort.ts";
import { KeyStoreError } from "../util/errors.ts";
import { applyMessages, prepareMessages, type ApplyPorts } from "./apply-messages.ts";
import { LastMessages } from "./last-messages.ts";
import type { StreamApi } from "./stream-api.ts";
import { StreamRequestError } from "./stream-error.ts";
import type { StreamMessage } from "./stream-message.ts";

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
    const messages = await abortable(signal, () => this.#lastMessages.of(keys).catch(noneIfUnavailable));
    if (messages.length > 0) await applyMessages(this.#ports, await prepareMessages(this.#ports, messages), signal);
  }
}

function noneIfUnavailable(error: unknown): readonly StreamMessage[] {
  const isUnavailable = error instanceof StreamRequestError || (error instanceof KeyStoreError && error.code === "STREAM_UNAVAILABLE");
  if (isUnavailable) return [];
  throw error;
}
