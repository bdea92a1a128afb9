import { vi } from "vitest";
import { Reachability, type ReachabilityPorts } from "../relay/reachability.ts";
import { Relay, type RelayPorts } from "../relay/relay.ts";
import { FakeClock } from "./fake-clock.ts";
import { deferred, messageTo } from "./fake-connection.ts";
import { RecordingTransport } from "./recording-transport.ts";

/** A relay with an outbox of keys, two to a batch, over a transport that answers or not. A backoff step of the n-th failure is 500 ms × 2^(n-1). */
export function setUpRelay(given: Partial<RelayPorts & ReachabilityPorts> = {}) {
  const clock = new FakeClock();
  const waiting: string[] = [];
  const turn = { comes: true };
  const drains = vi.fn<() => Promise<void>>().mockResolvedValue();
  const onOffline = vi.fn<ReachabilityPorts["onOffline"]>();
  const onOnline = vi.fn<ReachabilityPorts["onOnline"]>();
  const reachability = new Reachability({
    clock,
    isLoopback: true,
    countPending: async () => waiting.length,
    onOffline,
    onOnline,
    onFailure: () => relay.retryLater(),
    onReachable: () => relay.wake(),
    ...given,
  });
  const transport = new RecordingTransport(reachability);
  const relay: Relay = new Relay({
    clock,
    inBackground: true,
    timeoutMs: 2_000,
    reachability,
    transport,
    drainOutbox: async (publish, { onTurn }) => {
      onTurn?.();
      await drains();
      let published = 0;
      let failed = false;
      while (waiting.length > 0 && !failed) {
        const results = await publish(
          waiting.slice(0, 2).map((key) => messageTo(key)),
          Infinity,
        );
        failed = results === undefined || results.some(({ status }) => status === "unknown");
        if (failed || results === undefined) break;
        waiting.splice(0, results.length);
        published += results.length;
      }
      return { published, failed, isComplete: turn.comes };
    },
    ...given,
  });
  /** The server is unreachable from now on, or answers. */
  const setServer = (answers: boolean): void => {
    transport.failure = answers ? undefined : { kind: "unreachable", error: new Error("nobody there") };
  };
  /** The keys of each attempt. */
  const attempts = (): string[][] => transport.ids.map((ids) => ids.map((id) => id.slice(3)));
  return { clock, relay, reachability, transport, waiting, attempts, setServer, turn, drains, onOffline, onOnline };
}

/** The next drain hangs while it reads the outbox, until it is told to go on. */
export function holdDrain({ drains }: Pick<ReturnType<typeof setUpRelay>, "drains">): () => void {
  const { promise, resolve } = deferred<void>();
  drains.mockReturnValueOnce(promise);
  return () => resolve();
}
