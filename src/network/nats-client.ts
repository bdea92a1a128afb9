import { LazyPart } from "../util/lazy-part.ts";

/** nats.ws. Loads with the first connection. */
export const natsClient = new LazyPart(() => import("nats.ws").then(({ connect }) => ({ connect }))); // Destructured: bundlers drop the rest.

/** The members of a client that are used: NatsConnection of nats.ws and of nats-core. */
export interface NatsClient {
  readonly info?: { readonly max_payload?: number; readonly version?: string; readonly ldm?: boolean } | undefined;
  publish(subject: string, data: Uint8Array, options: { headers?: { encode(): Uint8Array }; reply?: string }): void;
  subscribe(
    subject: string,
    options: { callback: (error: unknown, message: NatsMessage) => void },
  ): {
    unsubscribe(): void;
  };
  flush(): Promise<void>;
  close(): Promise<void>;
  closed(): Promise<unknown>;
  status(): AsyncIterable<NatsStatus>;
}

/** A message as a subscription gets it. */
export interface NatsMessage {
  readonly subject: string;
  readonly reply?: string;
  readonly data: Uint8Array;
  readonly headers?: { readonly code: number; last(name: string): string } | undefined;
}

/** A status event of nats.ws (`data`, `permissionContext`) or of nats-core (`error`). */
export interface NatsStatus {
  readonly type: string;
  readonly data?: unknown;
  readonly permissionContext?: { readonly operation?: string; readonly subject?: string };
  readonly error?: Error & { readonly operation?: string; readonly subject?: string };
}

/** The option `wsFactory` of both clients. */
export type SocketFactory = (url: string, options: object) => Promise<{ socket: WebSocket; encrypted: boolean }>;
