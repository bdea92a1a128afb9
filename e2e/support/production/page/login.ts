/** Ways to open a store with credentials, as docs/PRODUCTION.md shows them. Tests call them in the page as `login.…`. */
import { NASKeyStore, type KeyStoreOptions } from "nas-keystore";
import { LONG_MS } from "../../deadline.ts";
export { connectRaw } from "./raw-client.ts";

const { jwtAuthenticator, nkeys, tokenAuthenticator, usernamePasswordAuthenticator, wsconnect } = await import("@nats-io/nats-core");

type Where = Pick<KeyStoreOptions, "servers" | "namespace" | "lingerMs" | "timeoutMs">;

/** The results of the callbacks. Tests change them. */
export const credentials = { user: "", pass: "", token: "", jwt: "" };

const pair = nkeys.createUser();
export const publicKey: string = pair.getPublicKey();
export const seed: string = new TextDecoder().decode(pair.getSeed());

/** All texts of events and errors. */
export const reportedTexts: { type: string; text: string }[] = [];

export function openWithPassword(where: Where): void {
  open({
    ...where,
    connection: {
      authenticator: usernamePasswordAuthenticator(
        () => credentials.user,
        () => credentials.pass,
      ),
    },
  });
}

/** In durable mode, as the user of `credentials`. */
export function openDurable(where: Where): void {
  const { user, pass } = credentials;
  open({ ...where, durable: true, connection: { user, pass, inboxPrefix: `_INBOX_${user}` } });
}

export function openWithToken(where: Where): void {
  open({ ...where, connection: { authenticator: tokenAuthenticator(() => credentials.token) } });
}

export function openWithJwt(where: Where): void {
  open({ ...where, connection: { authenticator: jwtAuthenticator(() => credentials.jwt, pair.getSeed()) } });
}

/** Opens a store without credentials. The JWT is in a cookie that scripts cannot read. */
export function openWithCookie(where: Where): void {
  open({ ...where });
}

/** Credentials that do not change. */
export function openWithFixed(where: Where, connection: object): void {
  open({ ...where, connection });
}

let jwt = "";
let refreshAt = 0;

/** Resolves to a JWT, a new one if the present one expires soon. */
async function freshJwt(): Promise<string> {
  if (Date.now() < refreshAt) return jwt;
  const response = await fetch("/nats-jwt", { method: "POST", body: publicKey, signal: AbortSignal.timeout(5_000) });
  if (!response.ok) throw new Error(`The login service answered ${response.status}.`);
  const fetched = (await response.json()) as { jwt: string; expiresInMs: number };
  jwt = fetched.jwt;
  refreshAt = Date.now() + fetched.expiresInMs / 2;
  return jwt;
}

/** Opens a store that fetches a JWT from the login service before a connection, if it needs one. */
export function openWithFetchedJwt(where: Where): void {
  open({
    ...where,
    connect: async (options) => {
      return wsconnect({ ...options, authenticator: jwtAuthenticator(await freshJwt(), pair.getSeed()) });
    },
  });
}

function open(options: KeyStoreOptions): void {
  globalThis.store = new NASKeyStore({ timeoutMs: LONG_MS, ...options });
  for (const type of ["published", "rejected", "offline", "online", "corrupt", "reset"]) {
    globalThis.store.addEventListener(type, (event) => reportedTexts.push({ type, text: everythingOf((event as CustomEvent).detail) }));
  }
}

/** Resolves to the result of the work. If it rejects, resolves to the error's code and adds the texts of the error to `reportedTexts`. */
export async function outcome(work: () => Promise<unknown>): Promise<unknown> {
  try {
    return await work();
  } catch (error) {
    reportedTexts.push({ type: "error", text: everythingOf(error) });
    return (error as { code?: unknown }).code ?? String(error);
  }
}

/** Resolves to the texts of the events of a type once there are `count`. */
export async function waitFor(type: string, count = 1): Promise<string[]> {
  for (;;) {
    const texts = reportedTexts.filter((one) => one.type === type).map(({ text }) => text);
    if (texts.length >= count) return texts;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** All strings that are reachable from a value, also through non-enumerable and inherited properties. */
function everythingOf(value: unknown, seen = new Set<unknown>()): string {
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  if (typeof value !== "object") return "";
  if (value === null || seen.has(value)) return "";
  seen.add(value);
  if (value instanceof Uint8Array) return new TextDecoder().decode(value);
  const texts: string[] = [];
  if (value instanceof Map || value instanceof Set) for (const member of value) texts.push(everythingOf(member, seen));
  for (
    let holder: object | null = value;
    holder !== null && holder !== Object.prototype;
    holder = Object.getPrototypeOf(holder) as object | null
  ) {
    for (const name of Reflect.ownKeys(holder)) texts.push(`${String(name)}: ${everythingOf(read(value, name), seen)}`);
  }
  return texts.join("\n");
}

function read(object: object, name: PropertyKey): unknown {
  try {
    return (object as Record<PropertyKey, unknown>)[name];
  } catch {
    return undefined;
  }
}

/** All data that the site keeps in the browser. */
export async function everythingKept(): Promise<string> {
  const kept: unknown[] = [{ ...localStorage }, { ...sessionStorage }];
  for (const { name } of await indexedDB.databases()) {
    const database = await requested(indexedDB.open(name ?? ""));
    const tables = [...database.objectStoreNames];
    kept.push(name, tables);
    for (const table of tables) {
      const rows = database.transaction(table, "readonly").objectStore(table);
      kept.push(await requested(rows.getAllKeys()));
      for (const row of await requested(rows.getAll() as IDBRequest<unknown[]>)) kept.push(everythingOf(row));
    }
    database.close();
  }
  return JSON.stringify(kept);
}

function requested<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
