import type { CheckedOptions } from "./checked-options.ts";

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
  persist: false,
};

/** The options of a store with every default filled in. */
export type Settings = Readonly<ReturnType<typeof settingsOf>>;

export function settingsOf(options: CheckedOptions) {
  const { servers, compression, connection = {}, ...rest } = { ...DEFAULTS, ...options };
  return {
    ...rest,
    servers: typeof servers === "string" ? [servers] : servers,
    connection,
    /** Infinity: no compression. */
    compressAboveBytes: thresholdOf(compression),
  };
}

function thresholdOf(compression: boolean | { thresholdBytes: number }): number {
  if (typeof compression === "object") return compression.thresholdBytes;
  return compression ? DEFAULT_COMPRESSION_THRESHOLD_BYTES : Infinity;
}
