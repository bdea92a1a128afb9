import { KeyFormat, KeyStoreError } from "nas-keystore";

/** Where the value of a write comes from. */
export type Source = "json" | "text" | "hex" | "utf8" | "file" | "sample";

export const formatOf: Readonly<Record<Source, KeyFormat>> = {
  json: KeyFormat.JSON,
  text: KeyFormat.TEXT,
  hex: KeyFormat.BINARY,
  utf8: KeyFormat.BINARY,
  file: KeyFormat.BINARY,
  sample: KeyFormat.STRUCTURED,
};

/** The input of the form is invalid. The library has not been called. */
export class InputError extends Error {
  readonly fields: readonly string[];

  constructor(field: string | readonly string[], message: string) {
    super(message);
    this.fields = [field].flat();
  }
}

/**
 * The results of all functions.
 * @throws InputError for all invalid inputs together, not only for the first
 */
export function readAll<T extends readonly unknown[]>(...works: { [I in keyof T]: () => T[I] }): T {
  const problems: InputError[] = [];
  const results = works.map((work) => {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      problems.push(error);
      return undefined;
    }
  });
  if (problems.length === 0) return results as unknown as T;
  throw new InputError(
    problems.flatMap(({ fields }) => fields),
    problems.map(({ message }) => message).join(" "),
  );
}

export function parseJson(text: string): unknown {
  if (text.trim() === "") throw new InputError("value", 'The value is empty. Enter JSON, for example "" or null.');
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new InputError("value", `The value is not valid JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Pairs of hex digits, with or without white space. */
export function parseHex(text: string): Uint8Array<ArrayBuffer> {
  const digits = text.replaceAll(/\s/g, "");
  const wrong = /[^0-9a-f]/i.exec(digits)?.[0];
  if (wrong !== undefined) throw new InputError("value", `“${wrong}” is not a hex digit. Write each byte as two digits of 0–9 and a–f.`);
  if (digits.length % 2 !== 0) throw new InputError("value", "A hex digit is missing. Each byte has two.");
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

export function parseTags(text: string): string[] {
  const tags = text.split(",").map((tag) => tag.trim());
  return [...new Set(tags)].filter((tag) => tag !== "");
}

/** The name of the option that the library refused. */
export function optionIn(error: unknown): string | undefined {
  return error instanceof KeyStoreError ? error.option : undefined;
}

/** An error as one line; the code of a KeyStoreError comes first. */
export function describeError(error: unknown): string {
  if (error instanceof KeyStoreError) return `${error.code}: ${error.message}`;
  return error instanceof Error ? error.message || error.name : String(error);
}
