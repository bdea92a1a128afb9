import { messageFor, type Message } from "../model/envelope.ts";
import type { WriteId } from "../model/metadata.ts";
import { readPayload } from "../values/unpacking.ts";
import { isTombstone } from "../model/row.ts";
import { isDamage, KeyStoreError, messageOf } from "../util/errors.ts";
import type { Emit } from "../model/events.ts";
import type { Batch, Relay, Outbox } from "./relay.ts";
import type { Delivery } from "../network/publisher.ts";
import type { Commit } from "../storage/commit/commit-group.ts";
import type { Committer } from "../storage/commit/committer.ts";
import type { Database } from "../storage/idb/database.ts";
import {
  readOutbox,
  settleRejected,
  type OutboxWrite,
  type UnsentWrite,
  type Settlement,
  type WriteState,
} from "../storage/outbox/outbox-table.ts";
import { countWrites, pendingWrites } from "../storage/outbox/pending-writes.ts";
import { ENTRIES, OUTBOX } from "../storage/idb/schema.ts";
import type { SettledWrites } from "../tabs/channel.ts";
import { exclusively } from "../tabs/leadership.ts";

export interface DispatcherOptions {
  readonly namespace: string;
  readonly instanceId: string;
  readonly timeoutMs: number;
  /** The lock under which one tab at a time drains the outbox. */
  readonly drainLock: string;
  /** The stores that live, and send their own writes. */
  readonly livingInstances: () => Promise<ReadonlySet<string>>;
  readonly emit: Emit;
  readonly publish: (messages: readonly Message[]) => Promise<Delivery[]>;
  /** Told when writes have left the outbox, or are to be tried again by whoever wants to. */
  readonly onSettled: (writes: SettledWrites) => void;
  /** Told when refused writes were discarded: nothing waits for their entries any more. */
  readonly onGivenUp: () => void;
}

/** A write and whose it is. */
type Sent = Omit<UnsentWrite, "row">;

/** A unsentWrite, ready to be sent. */
interface Letter {
  readonly unsentWrite: UnsentWrite;
  readonly message: Message;
}

/** A call that waits for a write which somebody else has to publish. */
interface Waiter {
  readonly version: number;
  resolve(delivery: Delivery): void;
}

const UNREACHABLE: Delivery = { status: "failed", error: new Error("No connection could be opened; the next attempt is not due yet.") };

/** One batch of a drain has at most so much, and less on a network that is too slow for it. */
const BATCH_WRITES = 256;
const BATCH_BYTES = 1024 * 1024;

/**
 * The way from the outbox to the network: what has just been committed at once, what waits when the relay asks for it.
 * Must publish first, see what the server says, and only then take a write out of the outbox.
 */
export class Dispatcher implements Outbox {
  readonly #database: Database;
  readonly #committer: Committer;
  readonly #relay: () => Relay;
  readonly #options: DispatcherOptions;
  /** What became of the commits that are being published, for the calls that wait for it. */
  readonly #underWay = new WeakMap<Commit, Promise<Delivery>>();
  readonly #waiters = new Map<string, Set<Waiter>>();
  /** What is being sent; a call may have stopped waiting for it. */
  readonly #sends = new Set<Promise<Delivery[]>>();
  /** The last drain left writes that have to wait, such as for one of their key that another tab is sending. */
  #held = false;
  /** How many writes of a drain go in one batch: quartered when one fails, doubled when one succeeds. */
  #batchWrites = BATCH_WRITES;

  constructor(database: Database, committer: Committer, relay: () => Relay, options: DispatcherOptions) {
    this.#database = database;
    this.#committer = committer;
    this.#relay = relay;
    this.#options = options;
  }

  /** Publishes a group's commits together, those that this store may publish itself. */
  dispatch(commits: readonly Commit[]): void {
    const sending = commits.filter(({ state }) => state === "sending");
    if (sending.length > 0) {
      const deliveries = this.#send(sending);
      this.#sends.add(deliveries);
      void deliveries.finally(() => this.#sends.delete(deliveries));
      sending.forEach((commit, index) =>
        this.#underWay.set(
          commit,
          deliveries.then((all) => all[index] as Delivery),
        ),
      );
    }
    const relay = this.#relay();
    if (sending.length === commits.length || relay.isOffline) return;
    for (const commit of commits) if (commit.state === "queued") this.#underWay.set(commit, this.#waitFor(commit));
    relay.kick();
  }

  /**
   * Whether the server has confirmed a commit; false: it is queued.
   * @throws KeyStoreError PUBLISH_REJECTED
   */
  async outcome(commit: Commit): Promise<boolean> {
    const delivery = await this.#underWay.get(commit);
    // Not sent: the attempt to connect may have failed before the commit. Its event comes before the call resolves false.
    if (delivery === undefined) await this.#relay().reported;
    if (delivery?.status === "rejected") throw rejection(commit.draft.key, delivery.error);
    return delivery?.status === "confirmed";
  }

  /** Another tab has settled writes: what waited for one of them can go on. */
  onSettledElsewhere({ keys, versions, confirmed }: SettledWrites): void {
    if (confirmed) keys.forEach((key, index) => this.#tellWaiters(key, versions[index] ?? 0, { status: "confirmed" }));
    if (this.#waiters.size > 0 || this.#held) this.#relay().kick();
  }

  /** Queues the refused writes anew, or those of one key. @returns how many there were */
  async retryRejected(key: string | undefined): Promise<number> {
    const count = await this.#settleRejected(key, "retried");
    if (count > 0) this.#relay().kick();
    return count;
  }

  /** Gives up the refused writes, or those of one key; the entries stay. @returns how many there were */
  discardRejected(key: string | undefined): Promise<number> {
    return this.#settleRejected(key, "discarded");
  }

  async #settleRejected(key: string | undefined, state: "retried" | "discarded"): Promise<number> {
    await this.#committer.caughtUp();
    const count = await this.#database.run([ENTRIES, OUTBOX], "readwrite", (transaction) => settleRejected(transaction, key, state));
    if (state === "discarded") this.#options.onGivenUp();
    return count;
  }

  async drain(send: (batch: Batch) => Promise<boolean>): Promise<boolean> {
    const { drainLock, livingInstances, instanceId: self, timeoutMs } = this.#options;
    // What has just failed must be seen as queued.
    await this.#committer.caughtUp();
    this.#held = false;
    const hadItsTurn = await exclusively(
      drainLock,
      async () => {
        let living = await livingInstances();
        const mayTake = ([instanceId, sequence]: WriteId, state: WriteState): boolean =>
          instanceId === self
            ? this.#committer.mayResend(sequence, state)
            : state === "sending"
              ? !living.has(instanceId)
              : state === "queued";
        for (let after: WriteId | undefined, more = true; more; more = after !== undefined) {
          const page = await this.#database.run([ENTRIES, OUTBOX], "readonly", async (transaction, generation) => ({
            generation,
            ...(await readOutbox(transaction, after, BATCH_WRITES, mayTake)),
          }));
          // Who has come meanwhile sends its own.
          const before = living;
          living = await livingInstances();
          const unsent = page.unsent.filter(({ instanceId }) => instanceId === self || before.has(instanceId) || !living.has(instanceId));
          this.#held ||= page.held || unsent.length < page.unsent.length;
          void this.#settle(page.superseded, () => ({ state: "superseded" }));
          if (!(await this.#sendAll(await this.#prepare(unsent, page.generation), send))) {
            this.#endWaits();
            break;
          }
          after = page.next;
        }
        // Before the next tab looks.
        await this.#committer.caughtUp();
      },
      timeoutMs,
    );
    return hadItsTurn && !this.#held;
  }

  async pending(): Promise<number> {
    await this.#committer.caughtUp();
    return (await this.count()).pending;
  }

  /** Resolves when nothing is being sent. */
  async idle(): Promise<void> {
    await Promise.allSettled(this.#sends);
  }

  /** How many keys have a write that waits, and how many one that was refused. */
  async count(): Promise<{ pending: number; rejected: number }> {
    return countWrites(await this.#database.run([OUTBOX], "readonly", pendingWrites));
  }

  async #send(commits: readonly Commit[]): Promise<Delivery[]> {
    const messages = commits.map(({ draft, row, generation }) => messageFor(this.#options.namespace, draft.key, row, generation));
    // The attempt to connect that began with the call may have failed while it was committed.
    const deliveries = this.#relay().isOffline ? messages.map(() => UNREACHABLE) : await this.#options.publish(messages);
    this.#conclude(
      commits.map(
        ({
          draft: { key, operation },
          row: {
            version,
            writeId: [instanceId, sequence],
          },
        }) => ({
          instanceId,
          write: { sequence, key, version, operation },
        }),
      ),
      deliveries,
    );
    if (deliveries.some(({ status }) => status === "failed")) {
      this.#relay().retryLater();
      // The `offline` event comes before the calls resolve false.
      await this.#relay().reported;
    }
    return deliveries;
  }

  /** Makes the messages of what waits. What is damaged is refused here: it must not be told to others, nor hold them up. */
  async #prepare(unsent: readonly UnsentWrite[], generation: string): Promise<Letter[]> {
    const letters = await Promise.all(
      unsent.map(async (unsentWrite): Promise<Letter | undefined> => {
        const { write, row } = unsentWrite;
        try {
          if (!isTombstone(row)) await readPayload(write.key, row);
          return { unsentWrite, message: messageFor(this.#options.namespace, write.key, row, generation) };
        } catch (thrown) {
          // What only could not be looked at, since a part did not load or the page is not secure, stays where it is.
          if (isDamage(thrown)) this.#conclude([unsentWrite], [{ status: "rejected", error: thrown }]);
          else this.#held = true;
          return undefined;
        }
      }),
    );
    return letters.filter((letter) => letter !== undefined);
  }

  /** @returns whether to go on */
  async #sendAll(letters: readonly Letter[], send: (batch: Batch) => Promise<boolean>): Promise<boolean> {
    for (let at = 0; at < letters.length;) {
      let bytes = 0;
      const rest = letters.slice(at, at + this.#batchWrites);
      const tooMany = rest.findIndex(({ message }, index) => (bytes += message.data.length) > BATCH_BYTES && index > 0);
      const batch = tooMany === -1 ? rest : rest.slice(0, tooMany);
      const goOn = await send({
        messages: batch.map(({ message }) => message),
        settle: (deliveries) =>
          this.#conclude(
            batch.map(({ unsentWrite }) => unsentWrite),
            deliveries,
          ),
      });
      this.#batchWrites = goOn ? Math.min(BATCH_WRITES, this.#batchWrites * 2) : Math.ceil(this.#batchWrites / 4);
      if (!goOn) return false;
      at += batch.length;
    }
    return true;
  }

  /** Writes down and tells what became of writes that were sent. */
  #conclude(sent: readonly Sent[], deliveries: readonly Delivery[]): void {
    const deliveryOf = new Map(sent.map(({ write }, index) => [write, deliveries[index] as Delivery]));
    const settled = this.#settle(sent, (write) => settlementOf(deliveryOf.get(write) as Delivery));
    void settled.then(() => {
      for (const confirmed of [true, false]) {
        const writes = sent.flatMap(({ write }) => ((deliveryOf.get(write)?.status === "confirmed") === confirmed ? [write] : []));
        const [keys, versions] = [writes.map(({ key }) => key), writes.map(({ version }) => version)];
        if (writes.length > 0) this.#options.onSettled({ keys, versions, confirmed });
      }
    });
    for (const [{ key, version, operation }, delivery] of deliveryOf) {
      if (delivery.status === "failed") continue;
      if (delivery.status === "confirmed") this.#options.emit("published", { key, version, operation });
      else this.#options.emit("rejected", { key, version, error: rejection(key, delivery.error) });
      this.#tellWaiters(key, version, delivery);
    }
  }

  async #settle(sent: readonly Sent[], settlement: (write: OutboxWrite) => Settlement): Promise<void> {
    const byInstance = new Map<string, Map<number, Settlement>>();
    for (const { instanceId, write } of sent) {
      const settlements = byInstance.get(instanceId) ?? new Map<number, Settlement>();
      byInstance.set(instanceId, settlements.set(write.sequence, settlement(write)));
    }
    await Promise.all(Array.from(byInstance, ([instanceId, settlements]) => this.#committer.settle(instanceId, settlements)));
  }

  /** An attempt has failed: waiting calls resolve false now, and do not wait for the next attempt. */
  #endWaits(): void {
    for (const waiters of this.#waiters.values()) for (const waiter of waiters) waiter.resolve(UNREACHABLE);
  }

  #tellWaiters(key: string, version: number, delivery: Delivery): void {
    for (const waiter of this.#waiters.get(key) ?? []) if (waiter.version <= version) waiter.resolve(delivery);
  }

  /** What becomes of a write that has to wait its turn; or of a newer one of its key, which takes it along. */
  #waitFor({ draft: { key }, row: { version } }: Commit): Promise<Delivery> {
    return new Promise((resolve) => {
      const waiters = this.#waiters.get(key) ?? new Set();
      this.#waiters.set(key, waiters);
      const end = (delivery: Delivery): void => {
        clearTimeout(timer);
        waiters.delete(waiter);
        if (waiters.size === 0 && this.#waiters.get(key) === waiters) this.#waiters.delete(key);
        resolve(delivery);
      };
      const waiter: Waiter = { version, resolve: end };
      const timer = setTimeout(
        () => end({ status: "failed", error: new Error("Another tab has not published its write of this key yet.") }),
        this.#options.timeoutMs,
      );
      waiters.add(waiter);
    });
  }
}

function settlementOf(delivery: Delivery): Settlement {
  if (delivery.status === "confirmed") return { state: "confirmed" };
  return { state: delivery.status === "rejected" ? "rejected" : "queued", error: messageOf(delivery.error) };
}

function rejection(key: string, cause: Error): KeyStoreError {
  return new KeyStoreError(
    "PUBLISH_REJECTED",
    `The message was refused (${messageOf(cause)}). The entry is kept here: see pendingWrites(), retryRejected(), discardRejected().`,
    { key, cause },
  );
}
