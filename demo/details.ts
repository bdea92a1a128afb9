import { KeyFormat, KeyStoreError, type KeyMetadata, type NASKeyStore } from "nas-keystore";
import { define, find, setText } from "./dom.ts";
import { count, formatBytes, formatDate, formatRemaining, hexDump } from "./format.ts";
import { inspect } from "./inspect.ts";
import { describeError } from "./input.ts";

const MAX_CHARACTERS = 50_000;

/** The entry of the last read. */
export interface Entry {
  readonly metadata: KeyMetadata;
  readonly value: unknown;
}

/** The value and the metadata of the selected key. */
export class Details {
  readonly #frame = find("details", HTMLDivElement);
  readonly #empty = find("details-empty", HTMLParagraphElement);
  readonly #key = find("details-key", HTMLHeadingElement);
  readonly #summary = find("details-summary", HTMLParagraphElement);
  readonly #value = find("details-value", HTMLPreElement);
  readonly #metadata = find("details-metadata", HTMLDListElement);
  #selected: string | undefined;
  #entry: Entry | undefined;
  /** The metadata of the selected key at its last read, which may have failed. */
  #seen: KeyMetadata | undefined;

  get selected(): string | undefined {
    return this.#selected;
  }

  /** Undefined while no key is selected, and when the entry is absent or cannot be read. */
  get entry(): Entry | undefined {
    return this.#entry;
  }

  /** Reads a key's value and shows it. */
  async select(store: NASKeyStore, key: string): Promise<void> {
    if (key !== this.#selected) this.#forget();
    this.#selected = key;
    await this.#read(store, key);
  }

  /**
   * Reads the value only if the version has changed. A read counts as a use of the entry, and each read of a damaged entry
   * dispatches an event that calls this again.
   */
  async refresh(store: NASKeyStore): Promise<void> {
    const key = this.#selected;
    if (key === undefined) return;
    const metadata = await store.getMetadata(key);
    if (key !== this.#selected) return;
    if (metadata === undefined) return this.#showGone(key);
    if (this.#seen === undefined || !isSameVersion(this.#seen, metadata)) return this.#read(store, key);
    if (this.#entry === undefined) return;
    this.#entry = { ...this.#entry, metadata };
    this.tick(Date.now());
  }

  deselect(): void {
    this.#forget();
    this.#selected = undefined;
    this.#showEmpty("Choose a key to see its value.");
  }

  tick(now: number): void {
    if (this.#entry !== undefined) define(this.#metadata, rowsOf(this.#entry.metadata, now));
  }

  async #read(store: NASKeyStore, key: string): Promise<void> {
    const metadata = await store.getMetadata(key);
    try {
      const value = await store.retrieve(key);
      // Another key may have been selected meanwhile.
      if (key !== this.#selected) return;
      if (metadata === undefined) return this.#showGone(key);
      this.#seen = metadata;
      this.#show({ metadata, value });
    } catch (error) {
      if (key !== this.#selected) return;
      this.#forget();
      this.#seen = metadata;
      const remedy =
        error instanceof KeyStoreError && error.code === "DECRYPT_FAILED"
          ? " Was it stored with another passphrase? Enter that above and choose Reopen."
          : "";
      this.#showEmpty(`“${key}” cannot be read. ${describeError(error)}${remedy}`);
    }
  }

  #show(entry: Entry): void {
    const { key, format, size } = entry.metadata;
    this.#entry = entry;
    this.#frame.hidden = false;
    this.#empty.hidden = true;
    setText(this.#key, key);
    setText(this.#summary, `${format}, ${formatBytes(size)}${size >= 1024 ? ` (${count(size, "byte")})` : ""}`);
    this.#value.dataset["format"] = format;
    setText(this.#value, shorten(printed(entry)));
    this.tick(Date.now());
  }

  #showGone(key: string): void {
    this.#forget();
    this.#showEmpty(`“${key}” does not exist here. It was deleted, has expired, or was never stored.`);
  }

  #showEmpty(text: string): void {
    this.#frame.hidden = true;
    this.#empty.hidden = false;
    setText(this.#empty, text);
  }

  #forget(): void {
    this.#entry = undefined;
    this.#seen = undefined;
  }
}

function printed({ metadata, value }: Entry): string {
  switch (metadata.format) {
    case KeyFormat.JSON:
      return JSON.stringify(value, null, 2) ?? "undefined";
    case KeyFormat.TEXT:
      return String(value);
    case KeyFormat.BINARY:
      return hexDump(value as Uint8Array);
    case KeyFormat.STRUCTURED:
      return inspect(value);
  }
}

function shorten(text: string): string {
  if (text.length <= MAX_CHARACTERS) return text;
  return `${text.slice(0, MAX_CHARACTERS)}\n… ${count(text.length - MAX_CHARACTERS, "character")} more`;
}

function rowsOf(metadata: KeyMetadata, now: number): [term: string, value: string][] {
  const { version, revision, createdAt, updatedAt, ttl, expiresAt, tags, checksum, pending, rejected, stale, encrypted } = metadata;
  return [
    ["Version", String(version)],
    ["Revision", revision === undefined ? "–" : String(revision)],
    ["Pending", pending ? "yes: not confirmed by the server" : "no"],
    ["Rejected", rejected ? "yes: the server refused this version" : "no"],
    ["Stale", stale ? "yes: invalidated, and not written since" : "no"],
    ["Encrypted", encrypted ? "yes: reading it needs the passphrase" : "no"],
    ["Created", formatDate(createdAt)],
    ["Updated", formatDate(updatedAt)],
    ["TTL", ttl === null ? "never expires" : `${ttl} s`],
    ["Expires in", expiresAt === null ? "–" : formatRemaining(expiresAt.getTime() - now)],
    ["Tags", tags.join(", ") || "–"],
    ["SHA-256", checksum],
  ];
}

function isSameVersion(a: KeyMetadata, b: KeyMetadata): boolean {
  return a.version === b.version && a.checksum === b.checksum && a.updatedAt.getTime() === b.updatedAt.getTime();
}
