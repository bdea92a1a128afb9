import type { OutboxMessage } from "./outbox-messages.ts";

const MAX_WRITES = 256;
const MAX_BYTES = 1024 * 1024;

/** How much of the outbox is published with one flush. On a network that is too slow for large batches they become smaller. */
export class BatchLimits {
  /** The most writes that a batch may have. */
  #writes = MAX_WRITES;

  /** The batch that begins at an index. It has at least one message. */
  next(messages: readonly OutboxMessage[], start: number): readonly OutboxMessage[] {
    let bytes = 0;
    const rest = messages.slice(start, start + this.#writes);
    const end = rest.findIndex(({ message }, index) => (bytes += message.data.length) > MAX_BYTES && index > 0);
    return end === -1 ? rest : rest.slice(0, end);
  }

  /** Doubles the limit after a success, and quarters it after a failure. */
  adapt(isSuccess: boolean): void {
    this.#writes = isSuccess ? Math.min(MAX_WRITES, this.#writes * 2) : Math.ceil(this.#writes / 4);
  }
}
