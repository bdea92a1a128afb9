import { byForm } from "../support/fault-run.ts";
import { expect, test } from "../support/faults.ts";
import { freePorts } from "../support/ports.ts";
import { installProbe, type Dump } from "../support/probe.ts";

const FLIPS = byForm(200, 2_000);
/** Flips in one call into the page. */
const CHUNK = 50;

test(`no read returns a wrong value when one stored bit is flipped, ${FLIPS} times`, async ({
  page,
  nats,
  namespace,
  wire,
  consoleGuard,
  random,
}) => {
  consoleGuard.allowFailedSockets();
  await installProbe(page);
  const [unreachable] = await freePorts(1);
  await page.evaluate(fillDatabase, { servers: nats.wsUrl, unreachable: `ws://127.0.0.1:${unreachable}`, namespace });

  const failures: string[] = [];
  const places = new Set<string>();
  for (let done = 0; done < FLIPS; done += CHUNK) {
    const report = await page.evaluate(flipAndCheck, {
      servers: nats.wsUrl,
      namespace,
      seed: random.int(0, 2 ** 31),
      count: Math.min(CHUNK, FLIPS - done),
    });
    failures.push(...report.failures);
    for (const place of report.places) places.add(place);
  }
  console.log(`${FLIPS} flips in ${places.size} kinds of places`);
  expect(failures).toEqual([]);

  // A published value is right, or its checksum shows the damage.
  const wrong: string[] = [];
  const right = await page.evaluate(() => damaged.wire);
  for (const { envelope, text } of await wire.settled()) {
    if (envelope?.operation !== "store") continue;
    const { key, value = "", metadata } = envelope;
    const isRight = (right[key] ?? []).includes(value) || value.startsWith('"new') || value === '"deleted below"';
    if (!isRight && metadata?.checksum === (await sha256(value))) wrong.push(text);
  }
  expect(wrong).toEqual([]);
});

declare global {
  /** In the page: the stored values, the database, and the payloads that may be published, from `fillDatabase`. */
  var damaged: { values: Map<string, unknown>; dump: Dump; wire: Record<string, string[]> };
}

async function sha256(text: string): Promise<string> {
  return Buffer.from(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))).toString("hex");
}

/** In the page: writes entries of every format with the library: confirmed, queued, rejected and deleted ones. */
async function fillDatabase({
  servers,
  unreachable,
  namespace,
}: {
  servers: string;
  unreachable: string;
  namespace: string;
}): Promise<void> {
  const values = new Map<string, unknown>();
  const sweepIntervalMs = 0;
  const compression = { thresholdBytes: 200 };
  const put = async (store: typeof globalThis.store, key: string, value: unknown, options = {}): Promise<void> => {
    await store.store(key, value, options);
    values.set(key, value);
  };

  const online = new keystore.NASKeyStore({ servers, namespace, sweepIntervalMs, compression, timeoutMs: aids.LONG_MS });
  // A flipped bit can turn one of these keys into another.
  await put(online, "k0", { text: "naught", list: [1, 2, 3] }, { tags: ["even", "number"] });
  await put(online, "k1", "one", { format: "text" });
  await put(online, "k2", { two: 2 }, { ttl: 100_000 });
  await put(online, "k3", new Uint8Array([3, 1, 4, 1, 5, 9]), { format: "binary" });
  await put(
    online,
    "k4",
    new Map<unknown, unknown>([
      ["four", new Date(4)],
      [4n, -0],
    ]),
    { format: "structured" },
  );
  await put(online, "k5", "five ".repeat(100), { format: "text", tags: ["gzipped"] });
  await put(online, "k6", new Uint8Array(500).fill(6), { format: "binary" });
  await put(online, "k7", { seven: "7".repeat(500) }, { ttl: 50_000 });
  await put(online, "gone", "deleted below");
  // Enough entries for the library to write blocks.
  const many = Array.from({ length: 64 }, (_, n) => [`q${n}`, `in a block ${n}`] as const);
  await online.bulkStore(many);
  for (const [key, value] of many) values.set(key, value);
  await online.close();

  const offline = new keystore.NASKeyStore({ servers: unreachable, namespace, sweepIntervalMs, compression });
  await put(offline, "p0", { queued: true }, { tags: ["queued"] });
  await put(offline, "p1", "queued too", { format: "text", ttl: 100_000 });
  await put(offline, "p2", new Uint8Array([1, 2]), { format: "binary" });
  await offline.bulkStore({ p3: 3, p4: "four", p5: [5] });
  for (const [key, value] of [
    ["p3", 3],
    ["p4", "four"],
    ["p5", [5]],
  ] as const)
    values.set(key, value);
  await offline.delete("gone");
  values.delete("gone");
  await put(offline, "rejected", "by the server");
  await offline.close();

  const dump = await probe.dump(namespace);
  for (const [, row] of dump.outbox as [IDBValidKey, { state: string; writes: { key: string }[] }][]) {
    if (row.writes.some(({ key }) => key === "rejected")) row.state = "rejected";
  }
  const wire: Record<string, string[]> = {};
  interface Row {
    key: string;
    payload?: string | Uint8Array;
  }
  for (const record of dump.entries.map(([, row]) => row as Row | { rows: Row[] } | string[])) {
    for (const { key, payload } of Array.isArray(record) ? [] : "rows" in record ? record.rows : [record]) {
      if (payload !== undefined) wire[key] = [typeof payload === "string" ? payload : btoa(String.fromCharCode(...payload))];
    }
  }
  globalThis.damaged = { values, dump, wire };
}

/** In the page, `count` times: restores the database, flips one bit, and calls every operation of a new store. */
async function flipAndCheck({ servers, namespace, seed, count }: { servers: string; namespace: string; seed: number; count: number }) {
  const random = probe.random(seed);
  const below = (limit: number): number => Math.floor(random() * limit);
  const { values, dump } = damaged;
  const failures: string[] = [];
  const places = new Set<string>();

  type Leaf = { path: string; flip: () => string };
  const flipNumber = (value: number): number => {
    const view = new DataView(new ArrayBuffer(8));
    view.setFloat64(0, value);
    const bit = below(64);
    view.setUint8(bit >> 3, view.getUint8(bit >> 3) ^ (1 << (bit & 7)));
    return view.getFloat64(0);
  };
  const flipText = (text: string): string => {
    if (text === "") return "\u0001";
    const at = below(text.length);
    return text.slice(0, at) + String.fromCharCode(text.charCodeAt(at) ^ (1 << below(16))) + text.slice(at + 1);
  };
  /** Adds every place in a record where a bit can flip: values, names of fields, bytes. */
  const leavesOf = (holder: Record<string, unknown>, name: string, path: string, leaves: Leaf[]): void => {
    const value = holder[name];
    const set = (changed: unknown): string => {
      holder[name] = changed;
      return `${path}: ${String(value).slice(0, 60)} → ${String(changed).slice(0, 60)}`;
    };
    if (typeof value === "number") leaves.push({ path, flip: () => set(flipNumber(value)) });
    else if (typeof value === "string") leaves.push({ path, flip: () => set(flipText(value)) });
    else if (value instanceof Uint8Array) {
      leaves.push({
        path,
        flip: () => {
          const at = below(value.length);
          value[at]! ^= 1 << below(8);
          return `${path}[${at}]`;
        },
      });
    } else if (typeof value === "object" && value !== null) {
      const inner = value as Record<string, unknown>;
      for (const field of Object.keys(inner)) {
        leavesOf(inner, field, Array.isArray(value) ? `${path}[]` : `${path}.${field}`, leaves);
        if (Array.isArray(value)) continue;
        leaves.push({
          path: `${path}.${field} (name)`,
          flip: () => {
            const renamed = flipText(field);
            inner[renamed] = inner[field];
            delete inner[field];
            return `${path}.${field} becomes ${renamed}`;
          },
        });
      }
    }
  };

  /** The keys of a record: of a single entry, of a block, or of the list of a block's keys. */
  const keysUnder = ([place, record]: [IDBValidKey, unknown]): string[] => {
    if (typeof place === "string") return [place];
    const list: unknown = Array.isArray(record) ? record : (record as { keys?: unknown }).keys;
    return Array.isArray(list) ? list.filter((key) => typeof key === "string") : [];
  };

  for (let n = 0; n < count; n++) {
    const copy = structuredClone(dump);
    const table = random() < 0.65 ? "entries" : "outbox";
    const record = copy[table][below(copy[table].length)] as [IDBValidKey, unknown];
    const isEntry = table === "entries";
    const key = JSON.stringify(record[0]);
    const damagedKeys = new Set<string>(
      isEntry ? keysUnder(record) : (record[1] as { writes: { key: string }[] }).writes.map((write) => write.key),
    );
    const leaves: Leaf[] = [];
    leavesOf(record as unknown as Record<string, unknown>, "0", `${table} key`, leaves);
    leavesOf(record as unknown as Record<string, unknown>, "1", table, leaves);
    const leaf = leaves[below(leaves.length)] as Leaf;
    const what = `${key} ${leaf.flip()}`;
    places.add(leaf.path);
    if (isEntry) for (const at of keysUnder(record)) damagedKeys.add(at);
    const fail = (problem: string): void => void failures.push(`${what}: ${problem}`);

    /** The result of a call; undefined if it rejects. Any error other than a KeyStoreError is a failure. */
    const attempt = async <T>(call: string, work: () => Promise<T>): Promise<T | undefined> => {
      try {
        return await work();
      } catch (error) {
        const code = (error as { code?: string }).code;
        if (!(error instanceof keystore.KeyStoreError) || code === "CLOSED") fail(`${call} rejects with ${String(error)}`);
        return undefined;
      }
    };
    const checkValue = (call: string, at: string, value: unknown): void => {
      if (value !== undefined && !(values.has(at) && probe.same(value, values.get(at)))) {
        fail(`${call} of ${JSON.stringify(at)} returns ${String(JSON.stringify(value)).slice(0, 80)}`);
      }
    };

    try {
      await probe.restore(namespace, copy);
    } catch (error) {
      // A database cannot hold two records with the same key, because the index is unique.
      if ((error as Error).name !== "ConstraintError") throw error;
      continue;
    }
    const store = new keystore.NASKeyStore({
      servers,
      namespace,
      sweepIntervalMs: 0,
      timeoutMs: aids.LONG_MS,
      lingerMs: 1_000,
      cacheSize: random() < 0.5 ? 0 : 100,
    });
    const isKey = (at: string): boolean => at !== "" && !/\p{Surrogate}/u.test(at);
    const keys = [...new Set([...values.keys(), "gone", ...damagedKeys])].filter(isKey);

    const readTwice = async (at: string): Promise<void> => {
      const value = await attempt("retrieve", () => store.retrieve(at));
      checkValue("retrieve", at, value);
      if (value === undefined && !damagedKeys.has(at) && values.has(at)) fail(`${at} is absent`);
      checkValue("retrieve from IndexedDB", at, await attempt("retrieve from IndexedDB", () => store.retrieve(at, { useCache: false })));
    };
    // The damaged entries one by one, then all entries in shared transactions.
    for (const at of damagedKeys) if (isKey(at)) await readTwice(at);
    await Promise.all(keys.map(readTwice));
    for (const [at, value] of (await attempt("bulkRetrieve", () => store.bulkRetrieve(keys))) ?? []) checkValue("bulkRetrieve", at, value);
    for (const at of damagedKeys) {
      if (!isKey(at)) continue;
      await attempt("exists", () => store.exists(at));
      await attempt("getMetadata", () => store.getMetadata(at));
    }
    await attempt("listKeys", () => store.listKeys());
    await attempt("getStorageStats", () => store.getStorageStats());
    await attempt("sweep", () => store.sweep());
    await attempt("flush", () => store.flush());
    // Undamaged writes are published, although others are damaged.
    for (const { key: at, rejected } of (await attempt("pendingWrites", () => store.pendingWrites())) ?? []) {
      if (!rejected && !damagedKeys.has(at)) fail(`${at} is still pending after a flush`);
    }

    // A damaged key can be stored, updated and deleted again.
    for (const at of ["fresh", ...[...damagedKeys].slice(0, 3)]) {
      if (!isKey(at)) continue;
      const value = `new ${n}`;
      if ((await attempt(`store ${at} again`, () => store.store(at, value))) === undefined) fail(`${at} cannot be stored again`);
      const read = await attempt("retrieve after store", () => store.retrieve(at, { useCache: false }));
      if (read !== value) fail(`${at}, stored again, returns ${JSON.stringify(read)}`);
      await attempt("update", () => store.update(at, `${value}, updated`));
      if ((await attempt("delete", () => store.delete(at))) !== true) fail(`${at}, stored again, cannot be deleted`);
      if ((await attempt("exists", () => store.exists(at))) !== false) fail(`${at} exists after its delete`);
    }
    await attempt("close", () => store.close());
  }
  return { failures, places: [...places] };
}
