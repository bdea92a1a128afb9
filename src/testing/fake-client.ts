import { vi } from "vitest";
import type { NatsStatus } from "../network/nats-client.ts";
import { deferred } from "./fake-connection.ts";

/** A client as nats.ws and nats-core have it, as far as it is used. */
export function fakeClient() {
  const statuses: NatsStatus[] = [];
  let wake = deferred<void>();
  const closed = deferred<unknown>();
  const client = {
    info: { max_payload: 1000 } as { max_payload?: number; ldm?: boolean } | undefined,
    publish: vi.fn<(subject: string, data: Uint8Array, options: { headers: { encode(): Uint8Array } }) => void>(),
    subscribe: vi.fn<() => { unsubscribe(): void }>(() => ({ unsubscribe: () => undefined })),
    flush: vi.fn<() => Promise<void>>().mockResolvedValue(),
    close: vi.fn<() => Promise<void>>().mockResolvedValue(),
    closed: () => closed.promise,
    async *status(): AsyncGenerator<NatsStatus> {
      for (;;) {
        for (let next = statuses.shift(); next !== undefined; next = statuses.shift()) yield next;
        await wake.promise;
        wake = deferred<void>();
      }
    },
  };
  const tell = (status: object): void => {
    statuses.push(status as NatsStatus);
    wake.resolve();
  };
  return { client, tell, closed };
}
