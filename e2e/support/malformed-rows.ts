import type { Page } from "@playwright/test";
import { installProbe } from "./probe.ts";

/** Rows for each call into the page. */
export const CHUNK = 250;

/** Makes the database, and loads the library's lazy parts. */
export async function prepareForMalformedRows(page: Page, servers: string, namespace: string): Promise<void> {
  await installProbe(page);
  await page.evaluate(
    async ([servers, namespace]) => {
      const store = new keystore.NASKeyStore({ servers, namespace, compression: { thresholdBytes: 10 }, timeoutMs: aids.LONG_MS });
      await store.store("structured", new Map(), { format: "structured" });
      await store.store("gzipped", "a".repeat(100));
      await store.clearCache();
      await store.close();
    },
    [servers, namespace] as const,
  );
}

/** The result of reading malformed rows. */
interface Report {
  readonly failures: string[];
  readonly kinds: string[];
  /** 0 if the engine does not report it. */
  readonly peakHeapBytes: number;
}

/** The argument of `generateAndRead`. */
interface Order {
  readonly servers: string;
  readonly namespace: string;
  readonly seed: number;
  readonly count: number;
  /** The share of bombs among the rows: gzipped or sparse data that would need gigabytes. */
  readonly bombs: number;
}

/** In a page with the probe: writes rows that the library would never write, and reads each of them. */
export async function generateAndRead({ servers, namespace, seed, count, bombs }: Order): Promise<Report> {
  const random = probe.random(seed);
  const below = (limit: number): number => Math.floor(random() * limit);
  const pick = <T>(list: readonly T[]): T => list[below(list.length)] as T;
  const repeat = (text: string): string => text.repeat(1 + below(2_000));
  const failures: string[] = [];
  const kinds = new Set<string>();

  type Row = Record<string, unknown>;
  const sizeOf = (payload: unknown): number =>
    typeof payload === "string" ? new TextEncoder().encode(payload).length : (payload as Uint8Array).length;
  /** A row that the library accepts as valid, checksums included. */
  const rowFor = async (format: string, payload: string | Uint8Array<ArrayBuffer>): Promise<Row> => ({
    format,
    payload,
    checksum: await probe.sha256(payload),
    size: sizeOf(payload),
    version: 1 + below(5),
    createdAt: Date.now() - 1_000,
    updatedAt: Date.now() - 1_000,
    ttl: null,
    writeId: ["0".repeat(32), 1 + below(1_000)],
    lastUsed: Date.now() - 1_000,
  });
  /** A gzipped row with the given size and bytes. */
  const packedRow = async (format: string, packed: Uint8Array<ArrayBuffer>, size: unknown, checksum: string): Promise<Row> => ({
    ...(await rowFor(format, packed)),
    encoding: "gzip",
    storedChecksum: await probe.sha256(packed),
    checksum,
    size,
  });

  // 16 MiB and 128 MiB of zeros, made once for each page.
  const zeros = ((globalThis as { zeros?: Promise<Uint8Array<ArrayBuffer>[]> }).zeros ??= Promise.all(
    [2 ** 24, 2 ** 27].map((bytes) => probe.gzip(new Uint8Array(bytes))),
  ));
  const bomb = async (): Promise<Row> => {
    const packed = pick(await zeros);
    const size = pick<unknown>([0, 1, 1_000, 1_000_000, -1, Number.NaN, Infinity, -Infinity, 0.5, "1000", null, undefined]);
    return packedRow(pick(["json", "text", "binary", "structured"]), packed, size, "0".repeat(64));
  };
  const badGzip = async (): Promise<Row> => {
    const text = JSON.stringify(repeat(pick(["abc", "0", "é"])));
    const whole = await probe.gzip(new TextEncoder().encode(text));
    const size = sizeOf(text);
    const checksum = await probe.sha256(text);
    switch (below(7)) {
      case 0:
        return packedRow("json", whole.slice(0, below(whole.length - 8)), size, checksum);
      case 1: {
        const noise = crypto.getRandomValues(new Uint8Array(below(3_000)));
        return packedRow("json", noise, size, checksum);
      }
      case 2:
        return packedRow("json", whole, size + pick([-1, 1, 1_000, 2 ** 40]), checksum);
      case 3: {
        // Two gzip members: twice the declared size.
        const twice = new Uint8Array(whole.length * 2);
        twice.set(whole);
        twice.set(whole, whole.length);
        return packedRow("json", twice, size, checksum);
      }
      case 4:
        return packedRow("json", whole, size, await probe.sha256(`${text} `));
      case 5:
        return { ...(await packedRow("json", whole, size, checksum)), storedChecksum: pick([undefined, "", "0".repeat(64), 5]) };
      default:
        return { ...(await packedRow("json", whole, size, checksum)), encoding: pick(["br", "gzip ", "", 1, null, ["gzip"]]) };
    }
  };

  const anything = (): unknown =>
    pick<() => unknown>([
      () => null,
      () => below(100) - 50,
      () => Number.NaN,
      () => "text",
      () => [],
      () => ({}),
      () => new Date(),
      () => new Map([["a", 1]]),
      () => 10n ** 400n,
      () => new Uint8Array(below(100)),
      () => new Float64Array(4),
      () => new Blob(["blob"]),
      () => new Error("stored"),
      () => ["k", "v"],
      () => true,
    ])();
  const badRow = async (): Promise<Row> => {
    const row = await rowFor("json", JSON.stringify({ a: repeat("x") }));
    const unlike = (isRight: (value: unknown) => boolean): unknown => {
      for (;;) {
        const value = anything();
        if (!isRight(value)) return value;
      }
    };
    const isText = (value: unknown): boolean => typeof value === "string";
    switch (below(9)) {
      case 0:
        return anything() as Row;
      case 1:
        return { ...row, payload: unlike(() => false) };
      case 2:
        return { ...row, format: pick<unknown>(["pickle", "JSON", "__proto__", "constructor", "", unlike(isText)]) };
      case 3:
        return { ...row, checksum: pick<unknown>(["", "0".repeat(64), String(row["checksum"]).toUpperCase(), unlike(isText)]) };
      case 4:
        return { ...row, size: pick<unknown>([0, -1, Number.NaN, Infinity, 2 ** 53, unlike((value) => typeof value === "number")]) };
      case 5:
        return { ...row, writeId: unlike(() => false) };
      case 6:
        return { ...row, version: pick<unknown>([-1, 0.5, Number.NaN, Infinity, "1", unlike((value) => typeof value === "number")]) };
      case 7:
        return { ...row, [pick(["createdAt", "updatedAt"])]: pick<unknown>([9e15, Number.NaN, -Infinity, "now", {}]) };
      default: {
        const { [pick(["payload", "format", "checksum", "size", "writeId", "version", "createdAt"])]: _left, ...rest } = row;
        return rest;
      }
    }
  };

  const badStructuredText = (): string => {
    const far = 2 + below(1_000_000);
    return pick<() => string>([
      () => repeat("["),
      () => "",
      () => "{}",
      () => '"text"',
      () => "null",
      () => "[]",
      () => String(far),
      () => `[[${far}]]`,
      () => `[{"a":${far}}]`,
      () => `[[-${8 + below(100)}]]`,
      () => "[[0.5]]",
      () => `[[-7,3,-1,1],5]`,
      () => '[["Date","yesterday"]]',
      () => '[["Date",5]]',
      () => `[["BigInt","${"9".repeat(10_002 + below(20_000))}"]]`,
      () => '[["BigInt","0x10"]]',
      () => '[["BigInt"," 1"]]',
      () => `[["${pick(["Function", "constructor", "__proto__", "Promise", "eval", "toString", "hasOwnProperty"])}",1],"alert(1)"]`,
      () => '[["Error",1],{"type":2,"name":2,"message":2},"Function"]',
      () => '[["Error",1],{"type":2,"name":3,"message":4,"cause":0},"Error","Error","itself"]',
      () => `[["ArrayBuffer","${"A".repeat(1 + 4 * below(1_000))}"]]`,
      () => `[["ArrayBuffer","${"A".repeat(4 * below(100_000))}===="]]`,
      () => `[["ArrayBuffer"," AAAA"]]`,
      () => `[["Uint8Array",1,0,${far}],["ArrayBuffer","AAAA"]]`,
      () => `[["Float64Array",1,1],["ArrayBuffer","AAAAAAAAAAAAAAAA"]]`,
      () => '[["RegExp","(",""]]',
      () => '[["RegExp","a","gg"]]',
      () => '[["URL","no url"]]',
      () => '[{"__proto__":1},{"polluted":2},true]',
      () => '[["null","__proto__",1],{"polluted":2},true]',
      // Deeper than the recursion limit of devalue.
      () => `[${Array.from({ length: 501 + below(5_000) }, (_, depth) => `[${depth + 1}]`).join(",")},1]`,
      // More elements than the text has characters: each level refers to the next one twice.
      () =>
        `[${Array.from({ length: 30 }, (_, level) => `[${`${level + 1},`.repeat(9)}${level + 1}]`).join(",")},[${"-2,".repeat(50_000)}-7]]`,
    ])();
  };
  const badStructured = (): Promise<Row> => rowFor("structured", badStructuredText());
  /** Arrays of billions, almost all of them holes. */
  const sparse = (): Promise<Row> =>
    rowFor(
      "structured",
      pick(["[[-7,4294967295]]", `[[-7,${1_000_002 + below(2 ** 31)},1,1],5]`, `[[1,1,1,1],[-7,${1_000_002 + below(2 ** 31)}]]`]),
    );
  const badJson = (): Promise<Row> =>
    rowFor(
      "json",
      pick([repeat("["), repeat("{"), "", "undefined", "NaN", "{'a':1}", '"\u0001"', "[1,]", '{"a":1}}', `${repeat("1")}.`, "\uFEFF1"]),
    );
  const otherKind = async (): Promise<Row> => {
    if (random() < 0.5) return rowFor("binary", repeat("QUJD"));
    return rowFor(pick(["json", "text", "structured"]), crypto.getRandomValues(new Uint8Array(1 + below(100))));
  };

  const makers = { bomb, sparse, badGzip, badRow, badStructured, badJson, otherKind };
  const names = Object.keys(makers) as (keyof typeof makers)[];
  const records: [string, unknown][] = [];
  for (let n = 0; n < count; n++) {
    const kind = random() < bombs ? pick(names.slice(0, 2)) : pick(names.slice(2));
    kinds.add(kind);
    records.push([`${kind} ${n}`, await makers[kind]()]);
  }
  await probe.restore(namespace, { entries: [], outbox: [] });
  await probe.put(namespace, "entries", records);

  const store = new keystore.NASKeyStore({ servers, namespace, sweepIntervalMs: 0, timeoutMs: aids.LONG_MS });
  // Only in Chromium.
  const { memory } = performance as unknown as { memory?: { usedJSHeapSize: number } };
  let peakHeapBytes = 0;
  const codes = ["CHECKSUM_MISMATCH", "DECODE_FAILED"];
  const describe = (row: unknown): string => {
    const shown = JSON.stringify(row, (_name, value: unknown) => {
      if (typeof value === "bigint") return `${value}n`;
      return typeof value === "string" && value.length > 80 ? `${value.slice(0, 80)}…` : value;
    });
    return String(shown).slice(0, 400);
  };
  for (const [key, row] of records) {
    for (const [call, work] of [
      ["retrieve", () => store.retrieve(key)],
      ["bulkRetrieve", () => store.bulkRetrieve([key])],
    ] as const) {
      try {
        const value = await work();
        if (call === "retrieve" || (value as Map<string, unknown>).size > 0) failures.push(`${call} takes ${key}: ${describe(row)}`);
      } catch (error) {
        const { code = "" } = error as { code?: string };
        if (!(error instanceof keystore.KeyStoreError) || !codes.includes(code))
          failures.push(`${call} of ${key}: ${String(error)}: ${describe(row)}`);
      }
      peakHeapBytes = Math.max(peakHeapBytes, memory?.usedJSHeapSize ?? 0);
    }
    for (const [call, work] of [
      ["getMetadata", () => store.getMetadata(key)],
      ["exists", () => store.exists(key)],
    ] as const) {
      await work().catch((error: unknown) => {
        if (!(error instanceof keystore.KeyStoreError)) failures.push(`${call} of ${key}: ${String(error)}: ${describe(row)}`);
      });
    }
  }
  // Statistics, lists, sweeps and new writes must accept malformed rows too.
  const [healed] = records[below(records.length)] as [string, unknown];
  for (const [call, work] of [
    ["listKeys", () => store.listKeys()],
    ["getStorageStats", () => store.getStorageStats()],
    ["sweep", () => store.sweep()],
    ["flush", () => store.flush()],
    ["store", () => store.store(healed, "healed")],
    ["update", () => store.update(records[0]![0], "healed")],
    ["delete", () => store.delete(records.at(-1)![0])],
    ["clearCache", () => store.clearCache()],
  ] as const) {
    await work().catch((error: unknown) => {
      // An update keeps the format of the row, which may not accept the value.
      const isTyped = error instanceof keystore.KeyStoreError && [...codes, "INVALID_VALUE"].includes(error.code);
      if (call !== "update" || !isTyped) failures.push(`${call} among them: ${String(error)}`);
    });
  }
  if (({} as { polluted?: unknown }).polluted !== undefined) failures.push("Object.prototype has been changed");
  await store.close();
  return { failures, kinds: [...kinds], peakHeapBytes };
}
