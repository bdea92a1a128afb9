import { messageFor, type Message } from "../model/envelope.ts";
import { isTombstone } from "../model/row.ts";
import type { UnsentWrite } from "../storage/outbox/outbox-page.ts";
import { isDamage, type KeyStoreError } from "../util/errors.ts";
import { readPayload } from "../values/pipeline-backward.ts";

export interface OutboxMessage {
  readonly unsent: UnsentWrite;
  readonly message: Message;
}

export interface OutboxMessages {
  readonly ready: readonly OutboxMessage[];
  /** Writes whose rows are damaged: they must not reach others. */
  readonly damaged: readonly { readonly unsent: UnsentWrite; readonly error: KeyStoreError }[];
  /** Some rows could not be checked now: a part did not load, or the page is not secure. */
  readonly isIncomplete: boolean;
}

/** Makes the messages of queued writes from their rows, in the order of the writes. */
export async function makeMessages(namespace: string, generation: string, writes: readonly UnsentWrite[]): Promise<OutboxMessages> {
  const checks = await Promise.all(
    writes.map(async (unsent) => {
      const { write, row } = unsent;
      try {
        if (!isTombstone(row)) await readPayload(write.key, row);
        return { unsent, message: messageFor(namespace, write.key, row, generation) };
      } catch (error) {
        return { unsent, error };
      }
    }),
  );
  const ready = checks.flatMap(({ unsent, message }) => (message === undefined ? [] : [{ unsent, message }]));
  const damaged = checks.flatMap(({ unsent, error }) => (isDamage(error) ? [{ unsent, error }] : []));
  return { ready, damaged, isIncomplete: ready.length + damaged.length < writes.length };
}
