import { readKeyStoreOptions } from "./checks.ts";

const DEFAULT_COMPRESSION_THRESHOLD_BYTES = 1024;

const DEFAULTS = {
  servers: "ws://localhost:9222",
  namespace: "default",
  cacheSize: 100,
  maxEntries: Infinity,
  maxBytes: Infinity,
  maxPayloadBytes: 1024 * 1024,
  defaultTtl: null,
  sweepIntervalMs: 60_000,
  lingerMs: 0,
  timeoutMs: 2_000,
  compression: false,
  connect: undefined,
  persist: false,
};

/** The options of a store with every default filled in. */
export type Settings = Readonly<ReturnType<typeof settingsOf>>;

/** Checks the options of a store and copies what the caller could change later. @throws KeyStoreError INVALID_OPTION */
export function settingsOf(options: unknown) {
  const { servers, compression, connection, ...rest } = { ...DEFAULTS, ...readKeyStoreOptions(options) };
  return {
    ...rest,
    servers: typeof servers === "string" ? [servers] : servers,
    connection: { ...connection },
    /** Infinity: no compression. */
    compressAboveBytes: thresholdOf(compression),
  };
}

function thresholdOf(compression: boolean | { thresholdBytes: number }): number {
  if (typeof compression === "object") return compression.thresholdBytes;
  return compression ? DEFAULT_COMPRESSION_THRESHOLD_BYTES : Infinity;
}
