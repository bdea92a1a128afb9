import type { Emit } from "../model/events.ts";
import type { PublishResult } from "../network/transport.ts";
import type { Committer } from "../storage/commit/committer.ts";
import type { Settlement } from "../storage/outbox/outbox-record.ts";
import type { UnsentWrite } from "../storage/outbox/outbox-page.ts";
import type { SettledWrites } from "../tabs/messages.ts";
import { KeyStoreError, messageOf } from "../util/errors.ts";
import type { Waiters } from "./waiters.ts";

export interface SettlerPorts {
  readonly settle: Committer["settle"];
  readonly waiters: Pick<Waiters, "tell">;
  readonly emit: Emit;
  /** Called when the outbox has the results: writes were confirmed, or any tab may publish them again. */
  readonly onSettled: (writes: SettledWrites) => void;
}

/** A write that was published, and the instance that made it. */
export type SentWrite = Omit<UnsentWrite, "row">;

/** Writes the results of publishing into the outbox, and reports them. Results and writes have the same order. */
export class Settler {
  readonly #ports: SettlerPorts;

  constructor(ports: SettlerPorts) {
    this.#ports = ports;
  }

  settle(sent: readonly SentWrite[], results: readonly PublishResult[]): void {
    const settlements = results.map((result, index) => settlementOf(result, sent[index]?.write.key ?? ""));
    void this.#write(sent, settlements).then(() => {
      for (const confirmed of [true, false]) {
        const announced = sent.filter((_, index) => (results[index]?.status === "confirmed") === confirmed);
        this.#announce(announced, confirmed);
      }
    });
    results.forEach((result, index) => this.#report(sent[index] as SentWrite, result));
  }

  /** Takes writes out of the outbox whose key has a newer write. */
  supersede(writes: readonly SentWrite[]): void {
    const settlements = writes.map((): Settlement => ({ state: "superseded" }));
    void this.#write(writes, settlements);
  }

  #announce(writes: readonly SentWrite[], confirmed: boolean): void {
    if (writes.length === 0) return;
    this.#ports.onSettled({ writes: writes.map(({ write: { key, version } }) => ({ key, version })), confirmed });
  }

  #report({ write: { key, version, operation } }: SentWrite, result: PublishResult): void {
    if (result.status === "unknown") return;
    if (result.status === "confirmed") this.#ports.emit("published", { key, version, operation });
    else this.#ports.emit("rejected", { key, version, error: rejectionOf(key, result.error) });
    this.#ports.waiters.tell(key, version, result);
  }

  async #write(writes: readonly SentWrite[], settlements: readonly Settlement[]): Promise<void> {
    const byInstance = new Map<string, Map<number, Settlement>>();
    writes.forEach(({ instanceId, write: { sequence } }, index) => {
      const ofInstance = byInstance.get(instanceId) ?? new Map<number, Settlement>();
      byInstance.set(instanceId, ofInstance.set(sequence, settlements[index] as Settlement));
    });
    await Promise.all(Array.from(byInstance, ([instanceId, ofInstance]) => this.#ports.settle(instanceId, ofInstance)));
  }
}

export function rejectionOf(key: string, cause: Error): KeyStoreError {
  const remedy = "The entry is kept: see pendingWrites(), retryRejected(), discardRejected().";
  return new KeyStoreError("PUBLISH_REJECTED", `The server refused the message (${messageOf(cause)}). ${remedy}`, { key, cause });
}

function settlementOf(result: PublishResult, key: string): Settlement {
  if (result.status === "confirmed") {
    return result.revision === undefined ? { state: "confirmed" } : { state: "confirmed", stored: { key, revision: result.revision } };
  }
  return { state: result.status === "rejected" ? "rejected" : "queued", error: messageOf(result.error) };
}
