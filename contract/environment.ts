import type { KeyStoreOptions, NASKeyStore, RetrieveOrStoreOptions } from "nas-keystore";
import type { WireMessage } from "../e2e/support/wire.ts";

/** A sentence about the library's behaviour, and the test of it. */
export interface ContractCase {
  readonly title: string;
  /** The case makes the server unreachable. */
  readonly outage?: boolean;
  /** Sockets fail in the case, and browsers log an error for each. Defaults to `outage`. */
  readonly failsSockets?: boolean;
  /** The case needs its own server with these lines in the configuration. */
  readonly serverConfig?: string;
  /** The case's server has JetStream. The case runs once on each nats-server of the machine, each time without any stream. */
  readonly jetstream?: boolean;
  /** The case kills a tab. It cannot run in Node. */
  readonly kills?: boolean;
  readonly run: (environment: Environment) => Promise<void>;
}

/** The environment of a case: everything that differs between Node and browsers. */
export interface Environment {
  readonly library: typeof import("nas-keystore");
  /** The namespace of this case alone. */
  readonly namespace: string;
  /** Makes a store in the case's namespace, on the case's server. It is closed after the case. */
  openStore(options?: KeyStoreOptions): NASKeyStore;
  /** Makes a store in another tab, which is another realm of the same origin. The tab is closed after the case. */
  openTab(options?: KeyStoreOptions): Promise<Tab>;
  readonly server: Server;
  /** JetStream of the server, for a case that declares `jetstream: true`. */
  readonly jetstream: JetStream;
  readonly database: RawDatabase;
  /** The `connect` function of a NATS client other than the library's. */
  readonly connect: Connect;
  /** From now on, `Date.now()` returns this time until it is set again. */
  setClock(ms: number): void;
}

/** The part of a NATS client's connection that cases use. */
export interface Connection {
  closed(): Promise<unknown>;
}
export type Connect = (options: object) => Promise<Connection>;

/** The methods of a store that return promises, except those that close it. */
type Operation = Exclude<
  { [Name in keyof NASKeyStore]: NASKeyStore[Name] extends (...args: never[]) => Promise<unknown> ? Name : never }[keyof NASKeyStore],
  "close" | "retrieveOrStore" | typeof Symbol.asyncDispose
>;

/** A store in another tab. Arguments and results pass through `postMessage`. */
export interface Tab extends Pick<NASKeyStore, Operation> {
  /** `retrieveOrStore` with a `load` that returns the value; "never ends" does not end. */
  load(key: string, value: unknown, options?: RetrieveOrStoreOptions): Promise<unknown>;
  /** Closes the store, then the tab. */
  close(): Promise<void>;
  /** Ends the tab immediately, without closing its store. */
  kill(): Promise<void>;
}

/** A message that the server has received. */
export type Message = Pick<WireMessage, "subject" | "headers" | "envelope">;

/** The NATS server. A case that calls `disconnect` or `hang` must declare an `outage`. */
export interface Server {
  /** Breaks every connection and refuses new ones. */
  disconnect(): Promise<void>;
  /** Keeps connections open but delays all data in both directions. */
  hang(): Promise<void>;
  /** Ends `disconnect` or `hang`. Data that `hang` has delayed is delivered now. */
  restore(): Promise<void>;
  /** The messages in the case's namespace that the server received before this call, in order. A case with JetStream reads the stream instead. */
  messages(): Promise<Message[]>;
  /** Waits until the server has received at least `count` messages in the case's namespace. Not for a case with JetStream. */
  waitForMessages(count: number): Promise<Message[]>;
}

/** Streams of the case's server, seen and changed by a client other than the library: the package `nats`, over TCP. */
export interface JetStream {
  /** The server's version: "2.9.10". */
  serverVersion(): Promise<string>;
  /** Creates a stream. Fields that are not given have the defaults of nats-server. */
  createStream(config: StreamSettings): Promise<void>;
  deleteStream(name: string): Promise<void>;
  /** The streams that capture a subject of the case's namespace. */
  streams(): Promise<StreamDescription[]>;
  /** Publishes a message. Resolves to its sequence in the stream; rejects if no stream captures it, or if the stream refuses it. */
  publish(subject: string, data: string, headers?: Readonly<Record<string, string>>): Promise<number>;
  /** The messages that a stream holds, oldest first. */
  stored(stream: string): Promise<StoredMessage[]>;
}

/** The configuration of a stream, with the field names of NATS. */
export type StreamSettings = { name: string; subjects: string[] } & Readonly<Record<string, unknown>>;

export interface StreamDescription {
  config: StreamSettings;
  state: { messages: number; first_seq: number; last_seq: number };
}

export interface StoredMessage extends Message {
  sequence: number;
  text: string;
}

/** The row of an entry, alone or in a block. */
export interface RawRow {
  key: string;
  payload: string | Uint8Array;
  checksum?: string;
  encryption?: { keyId: string; nonce: string; messages: boolean };
}

/** The case's database, read and changed without the library. */
export interface RawDatabase {
  /** The entries in the database, expired ones included, sorted by key. */
  keys(): Promise<string[]>;
  /** Changes one bit of an entry's payload. */
  flipBit(key: string): Promise<void>;
  /** Reads the row of an entry, and writes it back as the function has changed it. */
  changeRow(key: string, change: (row: RawRow) => void): Promise<void>;
  /** Opens the database and ignores `versionchange`, like a tab that does not let go. The returned function closes the connection. */
  hold(): Promise<() => void>;
}
