import { KeyFormat, type NASKeyStore, type StoreOptions } from "nas-keystore";

/** Structured values to choose from: a text field cannot hold a Map. */
export const structuredSamples: readonly { label: string; make: () => unknown }[] = [
  {
    label: "An order: Map, Date, BigInt",
    make: () =>
      new Map<string, unknown>([
        ["placed", new Date("2025-03-14T09:26:53.589Z")],
        ["number", 9_007_199_254_740_993n],
        [
          "lines",
          [
            { article: "NATS-42", pieces: 3 },
            { article: "KV-7", pieces: 1 },
          ],
        ],
        ["shipped", undefined],
      ]),
  },
  {
    label: "Rules: Set, RegExp, -0, NaN",
    make: () => ({ names: new Set(["ada", "grace"]), pattern: /^[a-z]+-\d{1,3}$/iu, limits: [-0, Number.NaN, Number.POSITIVE_INFINITY] }),
  },
  { label: "Measurements: typed arrays", make: () => ({ volts: new Float64Array([0.5, 1.25, -3]), flags: new Uint8Array([1, 0, 255]) }) },
  {
    label: "A family: cycle, shared reference",
    make: () => {
      const home = { city: "Zürich" };
      const child: Record<string, unknown> = { name: "Mia", home };
      child["parent"] = { name: "Noa", home, children: [child] };
      return child;
    },
  },
  { label: "An Error with its cause", make: () => new TypeError("cannot parse", { cause: new RangeError("out of range") }) },
  { label: "A function (refused)", make: () => ({ run: () => "never stored" }) },
];

interface Sample {
  key: string;
  value: unknown;
  options?: StoreOptions;
}

/** A dozen entries, some of each format. */
function starterEntries(): Sample[] {
  const { JSON: json, TEXT: text, BINARY: binary, STRUCTURED: structured } = KeyFormat;
  return [
    { key: "user:ada", value: { name: "Ada Lovelace", born: 1815, roles: ["author"] }, options: { format: json, tags: ["people"] } },
    { key: "user:grace", value: { name: "Grace Hopper", born: 1906, roles: ["admiral"] }, options: { format: json, tags: ["people"] } },
    { key: "user:katherine", value: { name: "Katherine Johnson", born: 1918 }, options: { format: json, tags: ["people"] } },
    { key: "cart:4711", value: [{ article: "NATS-42", pieces: 3 }], options: { format: json, ttl: 900, tags: ["shop"] } },
    { key: "session:7f3a", value: { user: "user:ada", csrf: "b1946ac9" }, options: { format: json, ttl: 120, tags: ["auth"] } },
    { key: "settings.theme", value: "dark", options: { format: text } },
    {
      key: "note:welcome",
      value: "Grüezi! \nEvery write is stored here and published to NATS.",
      options: { format: text, tags: ["draft"] },
    },
    { key: "feature flags", value: { search: true, beta: false }, options: { format: json, tags: ["config"] } },
    {
      key: "icon:dot.gif",
      value: Uint8Array.from([
        71, 73, 70, 56, 57, 97, 1, 0, 1, 0, 128, 0, 0, 29, 95, 168, 255, 255, 255, 44, 0, 0, 0, 0, 1, 0, 1, 0, 0, 2, 2, 68, 1, 0, 59,
      ]),
      options: { format: binary, tags: ["assets"] },
    },
    { key: "order:2025-0314", value: structuredSamples[0]?.make(), options: { format: structured, tags: ["shop"] } },
    { key: "rules", value: structuredSamples[1]?.make(), options: { format: structured, tags: ["config"] } },
    { key: "crash:last", value: structuredSamples[4]?.make(), options: { format: structured, ttl: 86_400, tags: ["draft"] } },
  ];
}

/** @returns the stored keys, and those whose writes are queued */
export async function storeSamples(store: NASKeyStore): Promise<{ stored: string[]; queued: string[] }> {
  const entries = starterEntries();
  const published = await Promise.all(entries.map(({ key, value, options }) => store.store(key, value, options)));
  const stored = entries.map(({ key }) => key);
  return { stored, queued: stored.filter((_, index) => !published[index]) };
}
