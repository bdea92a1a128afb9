import type { Emit } from "../model/events.ts";
import type { Transport, TransportListener } from "../network/transport.ts";
import { CommitPublisher, UNREACHABLE } from "../relay/commit-publisher.ts";
import { MissingKeys } from "../relay/missing-keys.ts";
import { OutboxDrain, type OutboxDrainPorts } from "../relay/outbox-drain.ts";
import { Outbox, type OutboxPorts } from "../relay/outbox.ts";
import { Reachability } from "../relay/reachability.ts";
import { Relay } from "../relay/relay.ts";
import { Settler, type SettlerPorts } from "../relay/settler.ts";
import { Waiters } from "../relay/waiters.ts";
import type { Committer } from "../storage/commit/committer.ts";
import type { SettledWrites } from "../tabs/messages.ts";
import type { Clock } from "../util/clock.ts";

export interface PublishingPorts
  extends
    Pick<OutboxDrainPorts, "alone" | "database" | "instanceId" | "isDurable" | "livingInstances" | "namespace" | "stores">,
    Pick<OutboxPorts, "onDiscarded" | "writesCommitted">,
    Pick<SettlerPorts, "onSettled"> {
  readonly clock: Clock;
  readonly emit: Emit;
  readonly committer: Pick<Committer, "caughtUp" | "durable" | "mayResend" | "settle">;
  readonly timeoutMs: number;
  readonly inBackground: boolean;
  readonly isLoopback: boolean;
  readonly openTransport: (listener: TransportListener) => Transport;
}

export type Publishing = ReturnType<typeof openPublishing>;

/** Builds and connects the parts that publish commits and the outbox. */
export function openPublishing(ports: PublishingPorts) {
  const { clock, committer, database, emit, timeoutMs } = ports;
  const waiters = new Waiters(clock, timeoutMs);
  const outbox = new Outbox({
    database,
    caughtUp: () => committer.caughtUp(),
    onRetried: () => relay.kick(),
    onDiscarded: ports.onDiscarded,
    writesCommitted: ports.writesCommitted,
  });
  const reachability = new Reachability({
    clock,
    isLoopback: ports.isLoopback,
    countPending: async () => (await outbox.count()).pending,
    onOffline: (error, pending) => emit("offline", { error, pending }),
    onOnline: (pending) => emit("online", { pending }),
    onFailure: () => {
      relay.retryLater();
      // After the `offline` event. By then, calls whose writes were refused have their results.
      void reachability.reported.then(() => waiters.tellAll(UNREACHABLE));
    },
    onReachable: () => relay.wake(),
  });
  const transport = ports.openTransport(reachability);
  const settle: SettlerPorts["settle"] = (instanceId, settlements) => committer.settle(instanceId, settlements);
  const settler = new Settler({ settle, waiters, emit, onSettled: ports.onSettled });
  const missingKeys = new MissingKeys({ clock, stores: ports.stores, settler, onLoaded: () => relay.kick() });
  const drain = new OutboxDrain({ ...ports, settler, missingKeys });
  const relay = new Relay({ ...ports, reachability, transport, drainOutbox: (publish, options) => drain.run(publish, options) });
  const commitPublisher = new CommitPublisher({ namespace: ports.namespace, committer, transport, reachability, relay, settler, waiters });

  return {
    transport,
    settler,
    outbox,
    reachability,
    relay,
    commitPublisher,
    /** Another tab has settled writes: calls that wait for one of them continue. */
    settledElsewhere({ writes, confirmed }: SettledWrites): void {
      if (confirmed) {
        relay.reachedElsewhere();
        for (const { key, version } of writes) waiters.tell(key, version, { status: "confirmed" });
      }
      if (!waiters.isEmpty || drain.isHeld) relay.kick();
    },
    /** A store has joined that may have the keys of queued writes. */
    keysAdded(): void {
      missingKeys.keysAdded();
      relay.kick();
    },
    /** Publishes the outbox now. @returns how many writes the server has confirmed */
    async flush(): Promise<number> {
      const { published } = await relay.flush();
      // The drain may have met writes whose key loads now.
      return (await missingKeys.loaded(timeoutMs)) ? published + (await relay.flush()).published : published;
    },
    /** Ends all publishing. The connection stays open for operations in flight. */
    async stop(): Promise<void> {
      missingKeys.stop();
      await relay.stop();
      await commitPublisher.idle();
      await reachability.stop();
    },
  };
}
