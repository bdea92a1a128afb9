import { headerOf, type Message } from "../model/envelope.ts";
import { natsClient } from "./nats-client.ts";

/** One connection to a NATS server, as narrow as publishing needs it. */
export interface Connection {
  /** The largest message that the server takes, headers included. */
  readonly maxPayloadBytes: number;
  /** Resolves, never rejects, when the connection is gone or about to go (lame-duck mode). */
  readonly ending: Promise<void>;
  /** Hands a message to the socket. @throws when the connection is gone */
  publish(message: Message): Receipt;
  /** Resolves when the server has read everything published before and its refusals have been seen; rejects when the connection is gone. */
  roundTrip(): Promise<void>;
  /** Closes within a bounded time. */
  close(): Promise<void>;
}

/** What became of a message. */
export interface Receipt {
  /** Set once the server has refused it. */
  refusal?: Error;
}

export interface DialOptions {
  readonly servers: readonly string[];
  /** Credentials and more, as the user gave them. */
  readonly connection: object;
  /** After that, the attempt is given up. */
  readonly timeoutMs: number;
  readonly connect: ((options: object) => Promise<unknown>) | undefined;
}

/** What is used of nats.ws' NatsConnection, and of nats-core's. */
interface NatsClient {
  readonly info?: { readonly max_payload?: number };
  publish(subject: string, data: Uint8Array, options: { headers: { encode(): Uint8Array } }): void;
  flush(): Promise<void>;
  close(): Promise<void>;
  closed(): Promise<unknown>;
  status(): AsyncIterable<NatsStatus>;
}

/** A status as nats.ws words it (`data`, `permissionContext`), or nats-core (`error`). */
interface NatsStatus {
  readonly type: string;
  readonly data?: unknown;
  readonly permissionContext?: { readonly operation?: string; readonly subject?: string };
  readonly error?: Error & { readonly operation?: string; readonly subject?: string };
}

type SocketFactory = (url: string, options: object) => Promise<{ socket: WebSocket; encrypted: boolean }>;

/** nats.ws waits without limit for a socket's buffer to empty before it closes it. */
const CLOSE_TIMEOUT_MS = 1_000;
/** A client has so much longer to keep its own timeout. */
const GRACE_MS = 500;
/** So soon after a socket closes a client that has another server opens the next. */
const NEXT_SERVER_MS = 50;

/**
 * Connects to the first server that answers.
 * @throws Error that says why not; never with credentials in it
 */
export async function dial({ servers, connection, timeoutMs, connect }: DialOptions): Promise<Connection> {
  const connectWith: (options: object) => Promise<unknown> = connect ?? (await natsClient.load()).connect;
  const sockets = new SocketKeeper((connection as { wsFactory?: SocketFactory }).wsFactory);
  try {
    const connecting = connectWith({
      ...connection,
      servers: [...servers],
      timeout: timeoutMs,
      // The outbox is the retry: a connection serves the operations of a moment.
      reconnect: false,
      ignoreClusterUpdates: true,
      wsFactory: sockets.open,
    }) as Promise<NatsClient>;
    return new NatsConnection(await givenUpAfter(timeoutMs + GRACE_MS, connecting, sockets.hungUp), sockets);
  } catch (error) {
    sockets.closeAll();
    throw describe(error, servers);
  }
}

class NatsConnection implements Connection {
  readonly ending: Promise<void>;
  readonly #client: NatsClient;
  readonly #sockets: SocketKeeper;
  /** The messages whose fate is not known yet, by subject: that is how the server says what it refuses. */
  readonly #open = new Map<string, Set<Receipt>>();
  readonly #gone: Promise<never>;

  constructor(client: NatsClient, sockets: SocketKeeper) {
    this.#client = client;
    this.#sockets = sockets;
    this.#gone = client.closed().then((reason) => {
      throw reason instanceof Error && Boolean(reason.message) ? reason : new Error("The connection to the server was lost.");
    });
    this.#gone.catch(() => undefined);
    this.ending = Promise.race([this.#gone, this.#followStatus()]).catch(() => undefined);
  }

  get maxPayloadBytes(): number {
    return this.#client.info?.max_payload ?? Infinity;
  }

  publish(message: Message): Receipt {
    const { subject, data } = message;
    // What nats.ws and nats-core ask of headers when they publish.
    this.#client.publish(subject, data, { headers: { encode: () => headerOf(message) } });
    const receipt: Receipt = {};
    const open = this.#open.get(subject);
    if (open === undefined) this.#open.set(subject, new Set([receipt]));
    else open.add(receipt);
    return receipt;
  }

  async roundTrip(): Promise<void> {
    const before = [...this.#open].map(([subject, receipts]) => [subject, [...receipts]] as const);
    // flush() of nats.ws 1.30.3 never settles once the connection is gone.
    await Promise.race([this.#client.flush(), this.#gone]);
    // A refusal comes before the PONG, but surfaces up to one macrotask after it.
    await macrotask();
    for (const [subject, receipts] of before) {
      const open = this.#open.get(subject);
      for (const receipt of receipts) open?.delete(receipt);
      if (open?.size === 0) this.#open.delete(subject);
    }
  }

  async close(): Promise<void> {
    await Promise.race([this.#client.close(), new Promise((resolve) => setTimeout(resolve, CLOSE_TIMEOUT_MS))]).catch(() => undefined);
    this.#sockets.closeAll();
  }

  /** Resolves when the server asks to leave. */
  async #followStatus(): Promise<void> {
    for await (const status of this.#client.status()) {
      if (status.type === "ldm") return;
      const refused = status.permissionContext ?? status.error;
      if (status.type !== "error" || refused?.operation !== "publish" || refused.subject === undefined) continue;
      const subject = unquote(refused.subject);
      for (const receipt of this.#open.get(subject) ?? []) {
        receipt.refusal = status.error ?? new Error(`Permissions Violation for Publish to "${subject}"`);
      }
    }
    await this.#gone;
  }
}

/** Opens the sockets of one attempt, and knows them: nats.ws 1.30.3 leaves one open when it gives up on it. */
class SocketKeeper {
  readonly #sockets: WebSocket[] = [];
  readonly open: SocketFactory;
  /** Rejects when the last socket has closed and no other is opened: nats.ws 1.30.3 does not see that before it is connected. */
  readonly hungUp: Promise<never>;

  constructor(factory: SocketFactory = async (url) => ({ socket: new WebSocket(url), encrypted: url.startsWith("wss:") })) {
    let hangUp!: (error: Error) => void;
    this.hungUp = new Promise((_, reject) => (hangUp = reject));
    this.hungUp.catch(() => undefined);
    this.open = async (url, options) => {
      const opened = await factory(url, options);
      const { socket } = opened;
      // Without a code nats-server 2.9 answers with a broken frame, of which Chromium complains on the console; and of
      // the code that nats.ws gives after an error browsers make an exception, and leave the socket open.
      const close = socket.close.bind(socket);
      socket.close = () => close(1000);
      this.#sockets.push(socket);
      socket.addEventListener("close", () => {
        setTimeout(() => {
          if (this.#sockets.at(-1) === socket) hangUp(new Error("The server closed the connection before it was established."));
        }, NEXT_SERVER_MS);
      });
      return opened;
    };
  }

  /** One that still hangs in its handshake too: browsers make the next one to its host wait for it. */
  closeAll(): void {
    for (const socket of this.#sockets) socket.close();
  }
}

/** The client, unless it comes too late; then it is closed. */
function givenUpAfter(ms: number, connecting: Promise<NatsClient>, hungUp: Promise<never>): Promise<NatsClient> {
  return new Promise((resolve, reject) => {
    const giveUp = (error: unknown): void => {
      reject(error instanceof Error ? error : new Error("No connection."));
      connecting.then((client) => client.close()).catch(() => undefined);
    };
    const timer = setTimeout(() => giveUp(new Error(`No connection within ${ms} ms.`)), ms);
    connecting.then(resolve, reject).finally(() => clearTimeout(timer));
    // Once it is connected the client tells of its end itself.
    let connected = false;
    connecting.then(
      () => (connected = true),
      () => undefined,
    );
    hungUp.catch((error: unknown) => connected || giveUp(error));
  });
}

/** Undoes Go's `%q`, in which the server quotes a subject. */
function unquote(quoted: string): string {
  return quoted.replace(
    /\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})|(.))/g,
    (_, x?: string, u?: string, U?: string, character?: string) =>
      character ?? String.fromCodePoint(Number.parseInt(x ?? u ?? U ?? "fffd", 16)),
  );
}

/** Ends in a task of its own. Timers would do, but browsers hold nested ones back for 4 ms. */
function macrotask(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}

/** A client's error as one that says something: a dead port rejects with a code and no message in nats.ws 1.30.3. */
function describe(error: unknown, servers: readonly string[]): Error {
  // nats.ws makes errors whose message is undefined, whatever their type says.
  if (error instanceof Error && Boolean(error.message) && error.message !== "undefined") return error;
  const hosts = servers.map((server) => new URL(server).host).join(", ");
  return new Error(`No NATS server answers at ${hosts}.`, { cause: error });
}
