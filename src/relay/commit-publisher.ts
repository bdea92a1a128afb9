import { messageFor, withPayload } from "../model/envelope.ts";
import { isTombstone, type Row } from "../model/row.ts";
import type { PublishResult, Transport } from "../network/transport.ts";
import type { Committer } from "../storage/commit/committer.ts";
import type { Commit, Draft } from "../storage/commit/draft.ts";
import type { Reachability } from "./reachability.ts";
import type { Relay } from "./relay.ts";
import { rejectionOf, type SentWrite, type Settler } from "./settler.ts";
import type { Waiters } from "./waiters.ts";

export interface CommitPublisherPorts {
  readonly namespace: string;
  readonly transport: Pick<Transport, "keepConnected" | "publish">;
  readonly committer: Pick<Committer, "durable">;
  readonly reachability: Readonly<Pick<Reachability, "isOffline" | "reported">>;
  readonly relay: Pick<Relay, "kick" | "retryLater">;
  readonly settler: Pick<Settler, "settle">;
  readonly waiters: Pick<Waiters, "wait">;
}

/** The result of a write for which no connection could be opened. */
export const UNREACHABLE: PublishResult = {
  status: "unknown",
  error: new Error("No connection could be opened; the next attempt is not due yet."),
};

/** Publishes writes as soon as they are committed, unless the server is known to be unreachable: this is decided here alone. */
export class CommitPublisher {
  readonly #ports: CommitPublisherPorts;
  /** The results of commits that are being published. */
  readonly #results = new WeakMap<Commit, Promise<PublishResult>>();
  /** Publications in flight. Their calls may have stopped waiting for them. */
  readonly #inFlight = new Set<Promise<PublishResult[]>>();

  constructor(ports: CommitPublisherPorts) {
    this.#ports = ports;
  }

  /** Whether writes are published at once. Otherwise they are committed as queued. */
  get mayPublish(): boolean {
    return !this.#ports.reachability.isOffline;
  }

  /** Opens the connection for a write that is being prepared. The returned function must be called when the write ends. */
  connectAhead(): () => void {
    return this.mayPublish ? this.#ports.transport.keepConnected() : () => undefined;
  }

  /** Publishes a group's commits together. Queued ones wait for the outbox drain. */
  publish(commits: readonly Commit[]): void {
    // The attempt to connect that began with the call may have failed during the commit.
    const { mayPublish } = this;
    const [sending, queued] = [ofState(commits, "sending"), ofState(commits, "queued")];
    if (sending.length > 0) {
      const results = this.#send(sending, mayPublish);
      this.#inFlight.add(results);
      void results.finally(() => this.#inFlight.delete(results));
      sending.forEach((commit, index) => {
        const result = results.then((all) => all[index] as PublishResult);
        this.#results.set(commit, result);
      });
    }
    if (queued.length === 0 || !mayPublish) return;
    for (const commit of queued) this.#results.set(commit, this.#ports.waiters.wait(commit.draft.key, commit.row.version));
    this.#ports.relay.kick();
  }

  /** Whether the server has confirmed a commit. False: the write is queued. @throws KeyStoreError PUBLISH_REJECTED */
  async outcome(commit: Commit): Promise<boolean> {
    const result = await this.#results.get(commit);
    if (result?.status === "confirmed") return true;
    await this.#ports.committer.durable(commit);
    if (result?.status === "rejected") throw rejectionOf(commit.draft.key, result.error);
    // Must dispatch the `offline` event before the call resolves false.
    await this.#ports.reachability.reported;
    return false;
  }

  /** Resolves when no publication is in flight. */
  async idle(): Promise<void> {
    await Promise.allSettled(this.#inFlight);
  }

  async #send(commits: readonly Commit[], mayPublish: boolean): Promise<PublishResult[]> {
    const { namespace, relay, settler, transport } = this.#ports;
    const messages = commits.map(({ draft, row, generation }) =>
      messageFor(namespace, draft.key, publishedRow(draft, row), generation, draft.quoted),
    );
    const results = mayPublish ? await transport.publish(messages) : messages.map(() => UNREACHABLE);
    settler.settle(commits.map(sentWrite), results);
    if (results.some(({ status }) => status === "unknown")) relay.retryLater();
    return results;
  }
}

function ofState(commits: readonly Commit[], state: Commit["state"]): Commit[] {
  return commits.filter((commit) => commit.state === state);
}

/** The row from which the message of a draft is made. */
export function publishedRow({ message }: Draft, row: Row): Row {
  return message === undefined || isTombstone(row) ? row : withPayload(row, message);
}

function sentWrite({ draft: { key, operation }, row }: Commit): SentWrite {
  const [instanceId, sequence] = row.writeId;
  return { instanceId, write: { sequence, key, version: row.version, operation } };
}
