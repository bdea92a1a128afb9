/** Mistakes that must not compile. `npm run types` fails when one of them does. Nothing runs this file. */
import { deriveKey, destroyNamespace, KeyFormat, KeyStoreError, NASKeyStore } from "nas-keystore";

export function misuseOfOptions(store: NASKeyStore): void {
  // @ts-expect-error an option of another name
  new NASKeyStore({ server: "ws://localhost:9222" });
  // @ts-expect-error a port is part of the URL
  new NASKeyStore({ servers: "ws://localhost", port: 9222 });
  // @ts-expect-error URLs are strings
  new NASKeyStore({ servers: [9222] });
  // @ts-expect-error a size is a number
  new NASKeyStore({ cacheSize: "100" });
  // @ts-expect-error no default TTL is no option at all
  new NASKeyStore({ defaultTtl: null });
  // @ts-expect-error the threshold is thresholdBytes
  new NASKeyStore({ compression: { threshold: 1024 } });
  // @ts-expect-error connect returns a promise
  new NASKeyStore({ connect: () => ({}) });
  // @ts-expect-error undefined is not a namespace
  new NASKeyStore({ namespace: undefined });
  // @ts-expect-error the namespace is an option
  new NASKeyStore("my_app");
  // @ts-expect-error a namespace is a string
  void destroyNamespace(42);
  // @ts-expect-error a key is a CryptoKey or a function
  new NASKeyStore({ encryption: { key: "secret" } });
  // @ts-expect-error the key is required
  new NASKeyStore({ encryption: { messages: true } });
  // @ts-expect-error a function returns a CryptoKey
  new NASKeyStore({ encryption: { key: () => "secret" } });
  // @ts-expect-error the key is an option of encryption
  new NASKeyStore({ encryption: () => deriveKey("passphrase", "salt") });
  // @ts-expect-error a salt is needed
  void deriveKey("passphrase");
  // @ts-expect-error the iterations are an option
  void deriveKey("passphrase", "salt", 600_000);

  // @ts-expect-error an unknown format
  void store.store("key", 1, { format: "pickle" });
  // @ts-expect-error formats are lower case
  void store.store("key", 1, { format: "JSON" });
  // @ts-expect-error a TTL is a number of seconds
  void store.store("key", 1, { ttl: "1h" });
  // @ts-expect-error tags are a list
  void store.store("key", 1, { tags: "web" });
  // @ts-expect-error the option is ifVersion
  void store.store("key", 1, { version: 1 });
  // @ts-expect-error a revision is a number
  void store.store("key", 1, { ifRevision: "7" });
  // @ts-expect-error a signal, not its controller
  void store.store("key", 1, { signal: new AbortController() });
  // @ts-expect-error the TTL is an option
  void store.store("key", 1, 3600);
  // @ts-expect-error the format of an entry is stored with it
  void store.retrieve("key", { format: KeyFormat.JSON });
  // @ts-expect-error seconds
  void store.retrieveOrStore("key", () => 1, { staleWhileRevalidate: "60s" });
  // @ts-expect-error the option is useCache
  void store.retrieve("key", { cache: false });
  // @ts-expect-error pull is "never", "missing" or "always"
  void store.retrieve("key", { pull: true });
  // @ts-expect-error pull is "never", "missing" or "always"
  void store.bulkRetrieve(["key"], { pull: "sometimes" });
  // @ts-expect-error the interval is a number of milliseconds
  new NASKeyStore({ durable: { pullEveryMs: "10s" } });
  // @ts-expect-error the stream is an option of the store
  void store.ensureStream("NAS_app");
  // @ts-expect-error a delete has no TTL
  void store.delete("key", { ttl: 1 });
  // @ts-expect-error a pattern is a string
  void store.pull({ pattern: /user/ });
  // @ts-expect-error a pull has no `since`: it remembers the sequence
  void store.pull({ since: 5 });
  // @ts-expect-error a lost value is unknown: its type has to be checked
  store.addEventListener("conflict", ({ detail }) => detail.lost.name);
  // @ts-expect-error flush takes a signal only
  void store.flush({ timeoutMs: 100 });
  // @ts-expect-error one tag
  void store.listKeys("*", { tags: ["web"] });
  // @ts-expect-error a pattern is a string
  void store.listKeys(/user/);
  // @ts-expect-error a number of keys
  void store.listKeys("*", { limit: "10" });
  // @ts-expect-error the key of the page before
  void store.listKeys("*", { after: 10 });
  // @ts-expect-error entries has no pages
  void store.entries("*", { limit: 10 });
}

export function misuseOfArguments(store: NASKeyStore): void {
  // @ts-expect-error a value is missing
  void store.store("key");
  // @ts-expect-error a key is a string
  void store.store(1, "value");
  // @ts-expect-error one key; bulkRetrieve takes several
  void store.retrieve(["a", "b"]);
  // @ts-expect-error load is a function
  void store.retrieveOrStore("key", Promise.resolve(1));
  // @ts-expect-error keys without values
  void store.bulkStore(["a", "b"]);
  // @ts-expect-error a key is a string
  void store.bulkStore([[1, "value"]]);
  // @ts-expect-error a pair lacks its value
  void store.bulkStore([["a"]]);
  // @ts-expect-error keys are strings
  void store.bulkStore(new Map([[1, "value"]]));
  // @ts-expect-error onProgress gets numbers
  void store.bulkStore({ a: 1 }, { onProgress: (done: string) => done });
  // @ts-expect-error all items or none is true or false
  void store.bulkStore({ a: 1 }, { atomic: "yes" });
  // @ts-expect-error the signal is an option of the call
  void store.bulkStore([["a", 1, { signal: new AbortController().signal }]]);
  // @ts-expect-error an unknown format
  void store.bulkStore([["a", 1, { format: "xml" }]]);
  // @ts-expect-error a fourth element
  void store.bulkStore([["a", 1, {}, 2]]);
  // @ts-expect-error only bulkStore reports progress
  void store.store("a", 1, { onProgress: () => {} });
  // @ts-expect-error keys are strings
  void store.bulkRetrieve([1, 2]);
  // @ts-expect-error keys are strings
  void store.bulkDelete([1, 2]);
  // @ts-expect-error the option of a delete alone
  void store.bulkDelete(["a"], { ifVersion: 1 });
  // @ts-expect-error each delete with a revision is a call of its own
  void store.bulkDelete(["a"], { ifRevision: 1 });
  // @ts-expect-error the present value may be absent
  void store.update<number>("a", (present) => present + 1);
  // @ts-expect-error a function gets one argument
  void store.update("a", (present, key) => [present, key]);
  // @ts-expect-error one key
  void store.retryRejected(["a"]);
  // @ts-expect-error one tag
  void store.deleteByTag(["web"]);
  // @ts-expect-error a pattern or a tag, in an object
  void store.invalidate("user:*");
  // @ts-expect-error the option is tag
  void store.invalidate({ tags: ["web"] });
  // @ts-expect-error invalidate does not delete
  void store.invalidate({ tag: "web", ifVersion: 1 });
  // @ts-expect-error a TTL is a number of seconds
  void store.touch("key", "1h");
  // @ts-expect-error the TTL is no option
  void store.touch("key", { ttl: 1 });
  // @ts-expect-error envelopes are objects
  void store.import(["{}"]);
  // @ts-expect-error an iterable of envelopes, not one of them
  void store.import({ operation: "store" });
  // @ts-expect-error an import does not know how many envelopes there are
  void store.import([], { onProgress: (done: number, total: number) => done / total });
  // @ts-expect-error an iterator, not a promise
  void store.export("*").then((envelopes: object[]) => envelopes);
  // @ts-expect-error a pattern is a string
  store.export(/a/);
}

export function misuseOfWatch(store: NASKeyStore): void {
  // @ts-expect-error a pattern is a string
  store.watch(/user/, () => {});
  // @ts-expect-error the pattern is missing
  store.watch(() => {});
  // @ts-expect-error a listener is a function
  store.watch("user:*", { handleEvent: () => {} });
  // @ts-expect-error a watch reports changes, not values
  store.watch("user:*", ({ value }) => value);
  // @ts-expect-error an expired or evicted entry has no version
  store.watch("user:*", ({ version }) => version.toFixed());
  // @ts-expect-error no change has this type
  store.watch("user:*", ({ type }) => type === "update");
  // @ts-expect-error the only option is a signal
  store.watch("user:*", () => {}, { once: true });
  // @ts-expect-error with a listener, watch returns a function
  store.watch("user:*", () => {})[Symbol.asyncIterator]();
  // @ts-expect-error without one, it returns an iterator
  store.watch("user:*")();
  // @ts-expect-error memory may not have the value
  const text: string = store.peek<string>("key");
  // @ts-expect-error peek takes no options
  store.peek("key", { useCache: true });
  void text;
}

export async function misuseOfResults(store: NASKeyStore): Promise<void> {
  // @ts-expect-error the value may be absent
  const text: string = await store.retrieve<string>("key");
  // @ts-expect-error the value is that of load
  const loaded: string = await store.retrieveOrStore("key", async () => 1);
  // @ts-expect-error a Map, not an object
  const value: unknown = (await store.bulkRetrieve(["a"]))["a"];
  // @ts-expect-error an iterable, not an array
  void store.entries().length;
  for await (const [key, entry] of store.entries<number>()) {
    // @ts-expect-error a key is a string
    void (key + entry).toFixed();
  }
  const metadata = await store.getMetadata("key");
  // @ts-expect-error the metadata may be absent
  const version: number = metadata.version;
  if (metadata === undefined) return;
  // @ts-expect-error metadata cannot be changed
  metadata.version = 2;
  // @ts-expect-error nor can its tags
  metadata.tags.push("new");
  // @ts-expect-error times are Dates
  const time: number = metadata.createdAt;
  // @ts-expect-error statistics cannot be changed
  store.getCacheStats().size = 0;
  void [text, loaded, value, version, time];
}

export function misuseOfEvents(store: NASKeyStore): void {
  // @ts-expect-error the detail of `change` has a type, not an operation
  store.addEventListener("change", ({ detail }) => detail.operation);
  // @ts-expect-error the detail of `published` has no error
  store.addEventListener("published", ({ detail }) => detail.error);
  // @ts-expect-error the count is `pending`
  store.addEventListener("offline", ({ detail }) => detail.waiting);
  // @ts-expect-error a version is a number
  store.addEventListener("rejected", ({ detail }) => detail.version.toUpperCase());
  // @ts-expect-error an event of another name is a plain Event
  store.addEventListener("publish", ({ detail }) => detail);
  // @ts-expect-error a listener is a function
  store.addEventListener("online", "listener");
}

export function misuseOfErrors(error: KeyStoreError): boolean {
  // @ts-expect-error an unknown code
  if (error.code === "NOT_FOUND") return true;
  // @ts-expect-error the code cannot be changed
  error.code = "CLOSED";
  // @ts-expect-error a code comes first
  new KeyStoreError("The store is closed.");
  // @ts-expect-error KeyFormat cannot be changed
  KeyFormat.JSON = "text";
  return false;
}
