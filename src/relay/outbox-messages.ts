import { messageFor, type Message } from "../model/envelope.ts";
import { isTombstone, type EntryRow, type Row } from "../model/row.ts";
import type { UnsentWrite } from "../storage/outbox/outbox-page.ts";
import { isDamage, type KeyStoreError } from "../util/errors.ts";
import { publishedRow } from "../values/encrypted-payload.ts";
import type { EncryptionSettings } from "../values/key-source.ts";
import type { WriteWithoutKey } from "./missing-keys.ts";
import { readPayload } from "../values/pipeline-backward.ts";

export interface OutboxMessage {
  readonly unsent: UnsentWrite;
  readonly message: Message;
}

export interface OutboxMessages {
  readonly ready: readonly OutboxMessage[];
  /** Writes whose rows are damaged: they must not reach others. */
  readonly damaged: readonly { readonly unsent: UnsentWrite; readonly error: KeyStoreError }[];
  readonly withoutKey: readonly WriteWithoutKey[];
  /** Some rows could not be checked now: a part did not load, the page is not secure, or a key is missing. */
  readonly isIncomplete: boolean;
}

type Encrypted = Required<Pick<EntryRow, "encryption">>;

/** Makes the messages of queued writes from their rows, in the order of the writes. @param stores those of the page, for their keys */
export async function makeMessages(
  namespace: string,
  generation: string,
  writes: readonly UnsentWrite[],
  stores: readonly EncryptionSettings[],
): Promise<OutboxMessages> {
  const checks = await Promise.all(
    writes.map(async (unsent) => {
      const { key } = unsent.write;
      try {
        const row = await verified(namespace, key, unsent.row, stores);
        return row === undefined ? { unsent, isWithoutKey: true } : { unsent, message: messageFor(namespace, key, row, generation) };
      } catch (error) {
        return { unsent, error };
      }
    }),
  );
  const ready = checks.flatMap(({ unsent, message }) => (message === undefined ? [] : [{ unsent, message }]));
  const damaged = checks.flatMap(({ unsent, error }) => (isDamage(error) ? [{ unsent, error }] : []));
  const withoutKey = checks.flatMap(({ unsent: { row, ...write }, isWithoutKey }) =>
    isWithoutKey === true ? [{ ...write, keyId: (row as Encrypted).encryption.keyId }] : [],
  );
  return { ready, damaged, withoutKey, isIncomplete: ready.length + damaged.length < writes.length };
}

/** The row that a message is made from. Undefined: no store has loaded its key. */
async function verified(namespace: string, key: string, row: Row, stores: readonly EncryptionSettings[]): Promise<Row | undefined> {
  if (isTombstone(row)) return row;
  if (row.encryption !== undefined) return publishedRow(namespace, key, row, stores);
  await readPayload(key, row);
  return row;
}
