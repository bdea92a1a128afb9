import type { CheckedOptions } from "./checked-options.ts";
import type { DurableOptions } from "./types.ts";

const DEFAULT_COMPRESSION_THRESHOLD_BYTES = 1024;

const DEFAULTS = {
  servers: "ws://localhost:9222",
  maxEntries: Infinity,
  maxBytes: Infinity,
  maxPayloadBytes: 1024 * 1024,
  defaultTtl: null,
  sweepIntervalMs: 60_000,
  lingerMs: 0,
  timeoutMs: 2_000,
  compression: false,
  connect: undefined,
  encryption: undefined,
  schemas: undefined,
  migrate: undefined,
  durable: false,
  persist: false,
};

/** The options of a store with every default filled in. */
export type Settings = Readonly<ReturnType<typeof settingsOf>>;

export function settingsOf(options: CheckedOptions) {
  const { servers, compression, connection = {}, durable, ...rest } = { ...DEFAULTS, ...options };
  return {
    ...rest,
    durable: durableOf(durable, rest.namespace),
    servers: typeof servers === "string" ? [servers] : servers,
    connection,
    /** Infinity: no compression. */
    compressAboveBytes: thresholdOf(compression),
  };
}

/** The settings of durable mode; undefined: it is off. */
export type Durable = Exclude<ReturnType<typeof durableOf>, undefined>;

function durableOf(durable: boolean | DurableOptions, namespace: string) {
  if (durable === false) return undefined;
  const { stream, replicas = 1, history = 1, pullEveryMs = 0 } = durable === true ? {} : durable;
  // A stream has no dots or slashes in its name.
  const defaultStream = `NAS_${namespace.replace(/[./\\%]/g, encodeURIComponent).replaceAll(".", "%2E")}`;
  return { stream: stream ?? defaultStream, isNamed: stream !== undefined, replicas, history, pullEveryMs };
}

function thresholdOf(compression: boolean | { thresholdBytes: number }): number {
  if (typeof compression === "object") return compression.thresholdBytes;
  return compression ? DEFAULT_COMPRESSION_THRESHOLD_BYTES : Infinity;
}
