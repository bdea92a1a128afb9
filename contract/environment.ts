import type { KeyStoreOptions, NASKeyStore } from "nas-keystore";
import type { WireMessage } from "../e2e/support/wire.ts";

/** One sentence about how the library behaves, and its proof. */
export interface ContractCase {
  readonly title: string;
  /** The case takes the server away. */
  readonly outage?: boolean;
  /** Sockets of the case fail: engines print a line of their own about each. True by default in an `outage`. */
  readonly failsSockets?: boolean;
  /** The case needs a server of its own with these lines in its configuration. */
  readonly serverConfig?: string;
  /** The case kills a tab. It cannot run in Node. */
  readonly kills?: boolean;
  readonly run: (environment: Environment) => Promise<void>;
}

/** What a case runs in: everything that differs between Node and browsers. */
export interface Environment {
  readonly library: typeof import("nas-keystore");
  /** No other case has this namespace. */
  readonly namespace: string;
  /** Makes a store in the case's namespace, on the case's server. It is closed after the case. */
  openStore(options?: KeyStoreOptions): NASKeyStore;
  /** Makes a store in another tab: in another realm of the same origin. The tab is closed after the case. */
  openTab(options?: KeyStoreOptions): Promise<Tab>;
  readonly server: Server;
  readonly database: RawDatabase;
  /** The `connect` function of a NATS client that is not the library's own. */
  readonly connect: Connect;
  /** From now on, `Date.now()` returns this time until it is set again. */
  setClock(ms: number): void;
}

/** The part of a NATS client's connection that cases look at. */
export interface Connection {
  closed(): Promise<unknown>;
}
export type Connect = (options: object) => Promise<Connection>;

/** The methods of a store that return promises, except those that close it. */
type Operation = Exclude<
  { [Name in keyof NASKeyStore]: NASKeyStore[Name] extends (...args: never[]) => Promise<unknown> ? Name : never }[keyof NASKeyStore],
  "close" | typeof Symbol.asyncDispose
>;

/** A store in another tab. Arguments and results pass through `postMessage`. */
export interface Tab extends Pick<NASKeyStore, Operation> {
  /** Closes the store, then the tab. */
  close(): Promise<void>;
  /** Ends the tab at once, whatever it does. */
  kill(): Promise<void>;
}

/** A message that the server has received. */
export type Message = Pick<WireMessage, "subject" | "headers" | "envelope">;

/** The NATS server. A case that takes it away declares an `outage`. */
export interface Server {
  /** Breaks every connection and refuses new ones. */
  disconnect(): Promise<void>;
  /** Keeps connections open but lets nothing pass in either direction. */
  hang(): Promise<void>;
  /** Ends `disconnect` or `hang`. What `hang` has held back passes now. */
  restore(): Promise<void>;
  /** The messages in the case's namespace that the server has received before this call, in order. */
  messages(): Promise<Message[]>;
  /** The messages in the case's namespace, once there are at least so many. */
  waitForMessages(count: number): Promise<Message[]>;
}

/** The case's database, read and changed without the library. */
export interface RawDatabase {
  /** The entries in the database, expired ones included, sorted by key. */
  keys(): Promise<string[]>;
  /** Changes one bit of an entry's payload. */
  flipBit(key: string): Promise<void>;
}
