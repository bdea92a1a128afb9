import { KeyFormat, KeyStoreError, type StoreOptions } from "nas-keystore";
import type { Entry } from "./details.ts";
import { create, find } from "./dom.ts";
import { toHex } from "./format.ts";
import { formatOf, InputError, optionIn, parseHex, parseJson, parseTags, readAll, type Source } from "./input.ts";
import { structuredSamples } from "./samples.ts";

/** A write as the form describes it. */
export interface Draft {
  readonly value: unknown;
  readonly options: StoreOptions;
}

const LABELS: Readonly<Record<Source, string>> = {
  json: "Value, as JSON",
  text: "Value, as text",
  hex: "Value, bytes as hex digits",
  utf8: "Value, text to be stored as bytes",
  file: "Value, the bytes of a file",
  sample: "Value, one of these",
};

const PLACEHOLDERS: Partial<Record<Source, string>> = {
  json: '{ "name": "Ada", "born": 1815 }',
  text: "Any text",
  hex: "48 65 6c 6c 6f",
  utf8: "Hello",
};

/** The form that writes: turns input into values, and entries into input. */
export class WriteForm {
  readonly element = find("write", HTMLFormElement);
  readonly #key = find("key", HTMLInputElement);
  readonly #source = find("source", HTMLSelectElement);
  readonly #label = find("value-label", HTMLLabelElement);
  readonly #value = find("value", HTMLTextAreaElement);
  readonly #file = find("file", HTMLInputElement);
  readonly #sample = find("sample", HTMLSelectElement);
  readonly #ttl = find("ttl", HTMLInputElement);
  readonly #tags = find("tags", HTMLInputElement);

  constructor() {
    this.#sample.append(...structuredSamples.map(({ label }, index) => create("option", { value: String(index) }, label)));
    this.#sample.selectedIndex = 0;
    this.#source.addEventListener("change", () => this.#showSource());
    this.element.addEventListener("input", () => this.markInvalid(undefined));
    this.#value.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      this.element.requestSubmit();
    });
    this.#showSource();
  }

  get key(): string {
    return this.#key.value;
  }

  /** @throws InputError */
  read(): Draft {
    const [, value] = readAll(
      () => this.#assertKey(),
      () => this.#readValue(),
      () => this.#assertTtl(),
    );
    const tags = parseTags(this.#tags.value);
    return {
      value,
      options: {
        format: formatOf[this.#chosen],
        // An empty field is left out: a store then takes the default, an update keeps the value of the entry.
        ...(this.#ttl.value === "" ? undefined : { ttl: this.#ttl.valueAsNumber }),
        ...(tags.length === 0 ? undefined : { tags }),
      },
    };
  }

  /** Fills the form with an entry, to edit it. */
  fill({ metadata, value }: Entry): void {
    this.#key.value = metadata.key;
    this.#ttl.value = metadata.ttl === null ? "" : String(metadata.ttl);
    this.#tags.value = metadata.tags.join(", ");
    switch (metadata.format) {
      case KeyFormat.JSON:
        this.#fillText("json", JSON.stringify(value, null, 2));
        break;
      case KeyFormat.TEXT:
        this.#fillText("text", String(value));
        break;
      case KeyFormat.BINARY:
        this.#fillText("hex", toHex(value as Uint8Array));
        break;
      case KeyFormat.STRUCTURED:
        this.#source.value = "sample";
        this.#showSource();
    }
    this.#visibleValue.focus();
  }

  /** Marks the fields that an error is about; `undefined` clears the marks. */
  markInvalid(error: unknown): void {
    const fields: Record<string, HTMLElement> = { key: this.#key, value: this.#visibleValue, ttl: this.#ttl };
    for (const field of [this.#value, this.#file, this.#sample, ...Object.values(fields)]) field.removeAttribute("aria-invalid");
    const names =
      error instanceof InputError
        ? error.fields
        : !(error instanceof KeyStoreError)
          ? []
          : error.code === "INVALID_KEY"
            ? ["key"]
            : error.code === "INVALID_VALUE" || error.code === "PAYLOAD_TOO_LARGE"
              ? ["value"]
              : [optionIn(error) ?? ""];
    for (const name of names) fields[name]?.setAttribute("aria-invalid", "true");
  }

  get #chosen(): Source {
    return this.#source.value as Source;
  }

  get #visibleValue(): HTMLElement {
    return { file: this.#file, sample: this.#sample }[this.#chosen as string] ?? this.#value;
  }

  #assertKey(): void {
    if (this.key === "") throw new InputError("key", "The key is empty.");
  }

  #assertTtl(): void {
    if (this.#ttl.validity.badInput) throw new InputError("ttl", "The TTL is not a number. Enter seconds, or leave it empty.");
  }

  #readValue(): unknown {
    switch (this.#chosen) {
      case "json":
        return parseJson(this.#value.value);
      case "text":
        return this.#value.value;
      case "hex":
        return parseHex(this.#value.value);
      case "utf8":
        return new TextEncoder().encode(this.#value.value);
      case "file": {
        const file = this.#file.files?.[0];
        if (file === undefined) throw new InputError("value", "Choose a file first.");
        return file;
      }
      case "sample": {
        const sample = structuredSamples[this.#sample.selectedIndex];
        if (sample === undefined) throw new InputError("value", "Choose one of the samples.");
        return sample.make();
      }
    }
  }

  #fillText(source: Source, text: string): void {
    this.#source.value = source;
    this.#value.value = text;
    this.#showSource();
  }

  #showSource(): void {
    const shown = this.#visibleValue;
    for (const field of [this.#value, this.#file, this.#sample]) field.hidden = field !== shown;
    this.#label.htmlFor = shown.id;
    this.#label.textContent = LABELS[this.#chosen];
    this.#value.placeholder = PLACEHOLDERS[this.#chosen] ?? "";
    this.markInvalid(undefined);
  }
}
