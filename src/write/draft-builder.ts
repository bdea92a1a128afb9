import type { Memory } from "../model/change.ts";
import type { KeyFormat, Payload } from "../model/metadata.ts";
import type { Settings } from "../options/defaults.ts";
import { PUBLISHED, type Draft } from "../storage/commit/draft.ts";
import { abortable } from "../util/abort.ts";
import { compressPayload, finishPayload, measured, type Compressed } from "../values/pipeline-forward.ts";
import type { Encrypter } from "../values/encryption.ts";
import { encryptionPart } from "../values/encryption-part.ts";
import { checkMessageSize, checkPayloadLength } from "./message-size.ts";
import { entryRow, tombstone, type RowOptions } from "./row-builder.ts";

/** The message of a longer payload is likely to be measured. */
const MEASURED_UNITS = 65_536;

export interface DraftBuilderPorts {
  readonly settings: Pick<Settings, "namespace" | "compressAboveBytes" | "defaultTtl" | "encryption">;
  /** The memory of the store. */
  readonly writer: Memory;
  /** The payload that the schema of the key makes of it. */
  readonly fit?: ((key: string, payload: Payload, format: KeyFormat) => Promise<Payload>) | undefined;
  readonly maxMessageBytes: () => number;
  /** The current time, as a time of use. */
  readonly useTime: () => number;
}

/** A write that has passed the checks that are possible before its commit. Only its checksum is missing. */
export interface PreparedWrite {
  readonly weight: number;
  /** @throws KeyStoreError INSECURE_CONTEXT */
  finish(): Promise<Draft>;
}

/** Makes the drafts of stores, updates and deletes. */
export class DraftBuilder {
  readonly #ports: DraftBuilderPorts;

  constructor(ports: DraftBuilderPorts) {
    this.#ports = ports;
  }

  /**
   * @param isUpdate keep the format, ttl and tags that the options do not give
   * @throws KeyStoreError INVALID_VALUE, SCHEMA_MISMATCH, PAYLOAD_TOO_LARGE; DECRYPT_FAILED, INVALID_OPTION where the encryption key cannot be loaded
   */
  async prepareStore(
    key: string,
    encoding: Payload | Promise<Payload>,
    format: KeyFormat,
    options: RowOptions,
    isUpdate = false,
  ): Promise<PreparedWrite> {
    const { fit, maxMessageBytes, settings } = this.#ports;
    const maxBytes = maxMessageBytes();
    const encoded = await encoding;
    const payload = fit === undefined ? encoded : await fit(key, encoded, format);
    let compressed = await compressPayload(format, payload, settings.compressAboveBytes, maxBytes);
    checkPayloadLength(key, compressed.payload.length, maxBytes);
    if (compressed.payload.length > MEASURED_UNITS) compressed = measured(compressed);
    const { encryption, namespace } = settings;
    // The app's function that returns the key may wait for a person.
    const encrypter =
      encryption && (await abortable(options.signal, async () => (await encryptionPart.load()).encrypterOf({ namespace, encryption })));
    const { ttl = settings.defaultTtl, tags = [] } = options;
    this.#checkSize(key, compressed, { ttl, tags }, encrypter);
    return { weight: compressed.payload.length, finish: () => this.#finishStore(key, compressed, options, isUpdate, encrypter) };
  }

  delete(key: string, ifVersion: number | undefined): Draft {
    return {
      key,
      operation: "delete",
      policy: PUBLISHED,
      writer: this.#ports.writer,
      weight: 0,
      next: (present, version, now) => tombstone(key, ifVersion, present, version, now),
    };
  }

  async #finishStore(
    key: string,
    compressed: Compressed,
    options: RowOptions,
    isUpdate: boolean,
    encrypter: Encrypter | undefined,
  ): Promise<Draft> {
    const { stored, ...message } = encrypter ? await encrypter.encrypt(key, compressed) : { stored: await finishPayload(compressed) };
    return {
      key,
      operation: "store",
      policy: PUBLISHED,
      writer: this.#ports.writer,
      weight: stored.payload.length,
      payload: compressed.original,
      ...message,
      quoted: encrypter?.messages === true ? undefined : compressed.quoted,
      next: (present, version, now) => {
        const facts = { version, now, lastUsed: this.#ports.useTime(), defaultTtl: this.#ports.settings.defaultTtl };
        const row = entryRow(key, stored, options, present, isUpdate, facts);
        // An update may have kept tags that were not measured yet.
        if (options.tags === undefined && row.tags !== undefined) {
          this.#checkSize(key, compressed, { ttl: row.ttl, tags: row.tags }, encrypter);
        }
        return row;
      },
    };
  }

  #checkSize(key: string, compressed: Compressed, facts: Parameters<typeof checkMessageSize>[3], encrypter: Encrypter | undefined): void {
    checkMessageSize(this.#ports.settings.namespace, key, compressed, facts, this.#ports.maxMessageBytes(), encrypter?.messages);
  }
}
