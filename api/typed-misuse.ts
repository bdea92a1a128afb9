/** Typed stores: what compiles, with which types, and mistakes that must not compile. `npm run types` fails otherwise. Nothing runs this file. */
import type { KeyOf, KeyStoreOptions, ValueOf } from "nas-keystore";
import { NASKeyStore } from "nas-keystore";

interface User {
  name: string;
}

interface Admin extends User {
  rights: string[];
}

interface App {
  "user:${string}": User;
  "user:admin": Admin;
  "user:${string}:settings": { dark: boolean };
  "count:${number}": number;
  theme: "dark" | "light";
}

declare const id: string;
declare const count: number;
declare const anyKey: string;
declare const user: User;

declare function tuple<Items extends unknown[]>(...items: Items): Items;

/** Compiles when the value has exactly this type. */
function has<Expected>() {
  return <Actual>(_: Actual, isSame: Same<Actual, Expected>): void => void isSame;
}
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

export async function typesOfValues(store: NASKeyStore<App>): Promise<void> {
  has<"dark" | "light" | undefined>()(await store.retrieve("theme"), true);
  has<User | undefined>()(await store.retrieve("user:1"), true);
  has<User | undefined>()(await store.retrieve(`user:${id}`), true);
  has<Admin | undefined>()(await store.retrieve("user:admin"), true);
  has<{ dark: boolean } | undefined>()(await store.retrieve(`user:${id}:settings`), true);
  has<number | undefined>()(await store.retrieve(`count:${count}`, { useCache: false }), true);

  const found = await store.bulkRetrieve(["theme", `user:${id}`]);
  has<"dark" | "light" | undefined>()(found.get("theme"), true);
  has<User | undefined>()(found.get("user:1"), true);
  for (const [, value] of found) has<User | "dark" | "light">()(value, true);

  has<("user:admin" | `user:${string}` | `user:${string}:settings`)[]>()(await store.listKeys("user:*"), true);
  has<"theme"[]>()(await store.listKeys("th[aeiou]me"), true);
  for (const key of await store.listKeys()) void store.retrieve(key);
  void store.listKeys(anyKey);
  void store.listKeys("*:settings");
  void store.listKeys(`user:${id}:*`);
  void store.invalidate({ pattern: "user:*", tag: "web" });
  void store.invalidate({ tag: "web" });

  store.watch("user:*", (change) => {
    // The key of a `clear` is the pattern.
    if (change.type === "clear") return;
    has<"user:admin" | `user:${string}` | `user:${string}:settings`>()(change.key, true);
    void store.retrieve(change.key);
  });
  for await (const change of store.watch("theme"))
    if (change.type !== "clear") has<"dark" | "light" | undefined>()(store.peek(change.key), true);
  has<User | undefined>()(store.peek(`user:${id}`), true);

  for await (const [key, value, { version }] of store.entries("theme"))
    has<["theme", "dark" | "light", number]>()(tuple(key, value, version), true);
  for await (const [key, value] of store.entries()) if (key === "theme") has<"dark" | "light">()(value, true);
  for await (const [, value] of store.entries("user:*")) has<User | Admin | { dark: boolean }>()(value, true);

  // A key that is known at run time only needs a cast.
  has<number | User | { dark: boolean } | "dark" | "light" | undefined>()(await store.retrieve(anyKey as KeyOf<App>), true);
  has<{ dark: boolean }>()(null! as ValueOf<App, "user:1:settings">, true);
}

export function typedWrites(store: NASKeyStore<App>): void {
  void store.store("theme", "dark");
  void store.store(`user:${id}`, user, { ttl: 1 });
  void store.update("user:1:settings", { dark: true });
  void store.update("theme", (present) => (present === "dark" ? "light" : "dark"));
  void store.update("theme", () => "light");
  void store.update(`user:${id}`, async (present) => ({ name: present?.name ?? "Ada" }));
  void store.bulkDelete(["theme", `user:${id}`]);
  void store.retrieveOrStore("theme", () => "dark");
  void store.retrieveOrStore(`user:${id}`, async (key, { signal }) => (await (await fetch(key, { signal })).json()) as User);
  void store.export("user:*");
  void store.bulkStore([["theme", "dark", { ttl: 60 }]]);
  void store.bulkStore({ theme: "dark", "user:1": user, "user:1:settings": { dark: true } });
  void store.bulkStore([
    ["theme", "dark"],
    [`user:${id}`, user],
    ["user:admin", { name: "Ada", rights: [] }],
  ]);
  void store.bulkStore([user].map((each) => [`user:${each.name}`, each] as const));
  void store.bulkStore(new Map<`user:${string}`, User>());
  void store.bulkStore({});
  void store.bulkStore([]);
}

export function misuseOfKeys(store: NASKeyStore<App>): void {
  // @ts-expect-error an unknown key
  void store.store("them", "dark");
  // @ts-expect-error an unknown key
  void store.retrieve("users:1");
  // @ts-expect-error a key that is known at run time only
  void store.retrieve(anyKey);
  // @ts-expect-error a placeholder for a number
  void store.retrieve("count:one");
  // @ts-expect-error an unknown key
  void store.delete("them");
  // @ts-expect-error an unknown key
  void store.exists("them");
  // @ts-expect-error an unknown key
  void store.retrieveOrStore("them", () => "dark");
  // @ts-expect-error no key begins like this
  void store.export("users:*");
  // @ts-expect-error an unknown key
  void store.update("them", () => "dark");
  // @ts-expect-error an unknown key
  void store.bulkDelete(["theme", "them"]);
  // @ts-expect-error no key begins like this
  void store.entries("users:*");
  // @ts-expect-error an unknown key
  void store.touch("them");
  // @ts-expect-error an unknown key
  store.peek("them");
  // @ts-expect-error no key begins like this
  store.watch("users:*", () => undefined);
  // @ts-expect-error no key begins like this
  store.watch("users:*");
  // @ts-expect-error no key begins like this
  void store.invalidate({ pattern: "users:*" });
  // @ts-expect-error an unknown key
  void store.update("them", "dark");
  // @ts-expect-error an unknown key
  void store.getMetadata("them");
  // @ts-expect-error an unknown key
  void store.retryRejected("them");
  // @ts-expect-error an unknown key
  void store.discardRejected("them");
  // @ts-expect-error an unknown key
  void store.bulkRetrieve(["theme", "them"]);
  // @ts-expect-error keys that are known at run time only
  void store.bulkRetrieve([anyKey]);
  // @ts-expect-error an unknown key
  void store.bulkStore({ them: "dark" });
  // @ts-expect-error an unknown key among known ones
  void store.bulkStore({ theme: "dark", them: "dark" });
  void store.bulkStore([
    ["theme", "dark"],
    // @ts-expect-error an unknown key
    ["them", "dark"],
  ]);
  // @ts-expect-error any key
  void store.bulkStore(new Map<string, User>());
  // @ts-expect-error no key begins like this
  void store.listKeys("users:*");
  // @ts-expect-error no key is this one
  void store.listKeys("them");
}

export async function misuseOfValues(store: NASKeyStore<App>): Promise<void> {
  // @ts-expect-error a wrong value
  void store.store("theme", "blue");
  // @ts-expect-error the value of a less specific pattern
  void store.store("user:admin", user);
  // @ts-expect-error the value of a less specific pattern
  void store.store(`user:${id}:settings`, user);
  // @ts-expect-error a value that fits only one of the keys
  void store.store(count > 0 ? "theme" : "user:1", "dark");
  // @ts-expect-error a wrong value
  void store.update("theme", "blue");
  // @ts-expect-error a wrong value
  void store.retrieveOrStore("theme", () => "blue");
  // @ts-expect-error a wrong result
  void store.update("theme", () => "blue");
  // @ts-expect-error a wrong result, as a promise
  void store.update("user:1:settings", async () => ({ light: true }));
  // @ts-expect-error the present value may be absent
  void store.update("count:1", (present) => present + 1);
  // @ts-expect-error the value of a less specific pattern
  void store.update("user:admin", () => user);
  // @ts-expect-error a wrong value
  void store.bulkStore({ theme: "blue" });
  // @ts-expect-error the value of a less specific pattern
  void store.bulkStore({ theme: "dark", "user:admin": user });
  // @ts-expect-error a wrong value
  void store.bulkStore([["theme", "blue"]]);
  void store.bulkStore([
    ["user:1", user],
    // @ts-expect-error the value of another key
    ["theme", user],
  ]);
  // @ts-expect-error the value of a less specific pattern
  void store.bulkStore(new Map<"user:admin", User>());
  // @ts-expect-error a pair lacks its value
  void store.bulkStore([["theme"]]);
  // @ts-expect-error the value may be absent
  const theme: "dark" | "light" = await store.retrieve("theme");
  // @ts-expect-error the type of the value follows from the key
  void store.retrieve<User>("user:1");
  void theme;
}

export function generalFunctions(store: NASKeyStore<App>): void {
  // oxlint-disable-next-line typescript/no-explicit-any
  const stores: NASKeyStore<any>[] = [store, new NASKeyStore()];
  // @ts-expect-error an untyped store may store any value under any key
  const untyped: NASKeyStore = store;
  // @ts-expect-error another schema
  const other: NASKeyStore<{ theme: number }> = store;
  void [stores, untyped, other];
}

/** An app may have a class of its own. */
export class AppStore extends NASKeyStore<App> {
  constructor(options: KeyStoreOptions) {
    super({ namespace: "app", ...options });
  }

  theme(): Promise<"dark" | "light" | undefined> {
    return this.retrieve("theme");
  }
}

/** Names may be template literals too. */
export async function indexSignatures(store: NASKeyStore<{ [key: `user:${string}`]: User; "user:admin": Admin }>): Promise<void> {
  has<User | undefined>()(await store.retrieve("user:1"), true);
  has<Admin | undefined>()(await store.retrieve("user:admin"), true);
  // @ts-expect-error an unknown key
  void store.retrieve("users:1");
}

/** Where no pattern is more specific, a value has the type of one of them, and a stored one those of both. */
export async function overlappingPatterns(store: NASKeyStore<{ "a:${string}": { a: 1 }; "${string}:b": { b: 2 } }>): Promise<void> {
  has<{ a: 1 } | { b: 2 } | undefined>()(await store.retrieve("a:b"), true);
  void store.store("a:b", { a: 1, b: 2 });
  // @ts-expect-error the value of one of them
  void store.store("a:b", { a: 1 });
}

/** Without a schema. */
export async function untypedStores(store: NASKeyStore): Promise<void> {
  has<unknown>()(await store.retrieve(anyKey), true);
  has<User | undefined>()(await store.retrieve<User>("user:1"), true);
  has<string | undefined>()(await store.retrieve<string>("name"), true);
  has<Map<string, unknown>>()(await store.bulkRetrieve(["a"]), true);
  has<Map<string, User>>()(await store.bulkRetrieve<User>(new Set(["a"])), true);
  has<string[]>()(await store.listKeys("user:*"), true);
  has<User | undefined>()(store.peek<User>("user:1"), true);
  store.watch("user:*", ({ key, type }) => has<[string, string]>()(tuple<[string, string]>(key, type), true));
  has<Map<string, boolean>>()(await store.bulkStore({ a: 1, b: user }), true);
  void store.bulkStore([
    ["a", 1],
    ["b", user],
  ]);
  void store.bulkStore(new Map([["a", 1]]));
  void store.bulkStore(Object.entries({ a: 1 }));
  const loaded: User = await store.retrieveOrStore("user:1", async () => user);
  void loaded;
  void store.update<number>("count", (present = 0) => present + 1);
  has<Map<string, boolean>>()(await store.bulkDelete(["a"]), true);
  for await (const [key, value] of store.entries<User>("user:*")) has<[string, User]>()(tuple(key, value), true);
  for await (const [, value] of store.entries()) has<unknown>()(value, true);
}
