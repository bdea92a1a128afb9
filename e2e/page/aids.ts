/** Functions that tests call in the page as `aids.…`. Their results can be returned from `page.evaluate`. */
import { deriveKey, KeyStoreError, NASKeyStore, type KeyStoreOptions } from "nas-keystore";
import { LONG_MS } from "../support/deadline.ts";

/** An error in a form that `page.evaluate` can return. */
export interface Refusal {
  code: string | undefined;
  key: string | undefined;
  name: string;
  message: string;
  /** The messages of its causes, outermost first. */
  causes: string[];
  isError: boolean;
  isKeyStoreError: boolean;
  results?: [string, boolean][];
}

/** An event of a store: its detail, with errors as refusals. */
export interface Noted {
  type: string;
  detail: { key?: string; version?: number; operation?: string; pending?: number; reason?: string; error?: Refusal };
}

const EVENT_TYPES = ["published", "rejected", "offline", "online", "corrupt", "reset"];

export { LONG_MS };

/** Makes the store that tests use as `store`, and collects its events in `events`. A test whose server does not answer gives a shorter `timeoutMs`. */
export function openStore(options: KeyStoreOptions): void {
  const noted: Noted[] = [];
  globalThis.store = new NASKeyStore({ timeoutMs: LONG_MS, ...options });
  globalThis.events = noted;
  for (const type of EVENT_TYPES) {
    globalThis.store.addEventListener(type, (event) => {
      const { error, ...detail } = (event as CustomEvent<Noted["detail"]>).detail;
      noted.push({ type, detail: error === undefined ? detail : { ...detail, error: described(error) } });
      arrivals.dispatchEvent(new Event("arrival"));
    });
  }
}

/** Makes the store that tests use as `store`. Functions return its keys, which are derived from passphrases; that of an empty one fails. */
export function openEncryptedStore(options: KeyStoreOptions, passphrases: readonly string[], messages = false): void {
  const key = passphrases.map((passphrase) => () => keyOf(passphrase));
  openStore({ ...options, encryption: { key, messages } });
}

/** @throws KeyStoreError INVALID_OPTION for an empty passphrase */
export function keyOf(passphrase: string): Promise<CryptoKey> {
  return deriveKey(passphrase, "a salt", { iterations: 1000 });
}

const arrivals = new EventTarget();

/** Resolves to the details of the events of a type once there are at least `count` of them. */
export async function happened(type: string, count = 1): Promise<Noted["detail"][]> {
  for (;;) {
    const found = globalThis.events.filter((event) => event.type === type);
    if (found.length >= count) return found.map(({ detail }) => detail);
    await new Promise((resolve) => arrivals.addEventListener("arrival", resolve, { once: true }));
  }
}

/** The error that the work throws or rejects with; undefined if it succeeds. */
export async function refusalOf(work: () => unknown): Promise<Refusal | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    return described(error);
  }
}

function described(thrown: unknown): Refusal {
  const error = thrown as KeyStoreError;
  const causes: string[] = [];
  for (let cause = error.cause as Error | undefined; cause !== undefined; cause = cause.cause as Error | undefined) {
    causes.push(String(cause.message ?? cause));
  }
  return {
    code: error.code,
    key: error.key,
    name: error.name,
    message: error.message,
    causes,
    isError: thrown instanceof Error,
    isKeyStoreError: thrown instanceof KeyStoreError,
    ...(error.results === undefined ? undefined : { results: [...error.results] }),
  };
}

/** Makes a value that `page.evaluate` cannot pass to the page from its description `{ make: name }`, also within an array. */
export function made(description: unknown): unknown {
  if (Array.isArray(description)) return description.map(made);
  switch ((description as { make?: string } | null)?.make) {
    case "half a pair":
      return "\ud800";
    case "a set":
      return new Set(["a"]);
    case "a controller":
      return new AbortController();
    default:
      return description;
  }
}

/** Stops the clock: from now on `Date.now()` returns this time. */
export function setClock(ms: number): void {
  Date.now = () => ms;
}

/** Opens the table of entries without the library, so that tests can read and damage it. */
async function withEntries<T>(namespace: string, mode: IDBTransactionMode, work: (entries: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const database = await requested(indexedDB.open(`nas-keystore/${namespace}`));
  try {
    return await requested(work(database.transaction("entries", mode).objectStore("entries")));
  } finally {
    database.close();
  }
}

function requested<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

export interface RawEntry {
  payload: string | Uint8Array;
  checksum: string;
  storedChecksum?: string;
  size: number;
  encoding?: string;
  encryption?: { keyId: string; nonce: string; messages: boolean };
}

export function rawKeys(namespace: string): Promise<string[]> {
  return withEntries(namespace, "readonly", (entries) => entries.getAllKeys()) as Promise<string[]>;
}

export function rawEntry(namespace: string, key: string): Promise<RawEntry> {
  return withEntries(namespace, "readonly", (entries) => entries.get(key) as IDBRequest<RawEntry>);
}

export async function changeRawEntry(namespace: string, key: string, change: Partial<RawEntry>): Promise<void> {
  const entry = await rawEntry(namespace, key);
  await withEntries(namespace, "readwrite", (entries) => entries.put({ ...entry, ...change }, key));
}

/** Flips one bit of the stored payload: in the first byte if `where` is 0, in the last byte if it is 1. */
export async function flipBit(namespace: string, key: string, where: number): Promise<void> {
  const { payload } = await rawEntry(namespace, key);
  const at = Math.round((payload.length - 1) * where);
  if (typeof payload === "string") {
    const flipped = String.fromCharCode(payload.charCodeAt(at) ^ 1);
    return changeRawEntry(namespace, key, { payload: payload.slice(0, at) + flipped + payload.slice(at + 1) });
  }
  const bytes = payload.slice();
  bytes[at]! ^= 1;
  return changeRawEntry(namespace, key, { payload: bytes });
}

/** Everything in every table of the namespace's database, as text. */
export async function rawText(namespace: string): Promise<string> {
  const database = await requested(indexedDB.open(`nas-keystore/${namespace}`));
  const names = [...database.objectStoreNames];
  const transaction = database.transaction(names, "readonly");
  const tables = await Promise.all(
    names.map(async (name) => {
      const table = transaction.objectStore(name);
      return [name, await requested(table.getAllKeys()), await requested(table.getAll())];
    }),
  );
  database.close();
  return JSON.stringify(tables);
}

/** Makes every connection to the database close, without changing the database: starts an upgrade and aborts it. */
export function disturbDatabase(namespace: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(`nas-keystore/${namespace}`, 1_000_000);
    request.onupgradeneeded = () => request.transaction?.abort();
    request.onerror = () => resolve();
    request.onblocked = () => reject(new Error("A connection did not close."));
  });
}

/** The connect function of another NATS client. */
export async function natsCoreConnect(): Promise<(options: object) => Promise<unknown>> {
  return (await import("@nats-io/nats-core")).wsconnect;
}
