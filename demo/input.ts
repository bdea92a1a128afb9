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

/** What was typed cannot be made a value, so that the library was not even asked. */
export class InputError extends Error {
  readonly fields: readonly string[];

  constructor(field: string | readonly string[], message: string) {
    super(message);
    this.fields = [field].flat();
  }
}

/**
 * The results of all the works.
 * @throws InputError of all that went wrong, not only of the first
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
  if (text.trim() === "") throw new InputError("value", 'The value is empty. JSON has "" for an empty string, and null.');
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new InputError("value", `This is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Pairs of hex digits, with or without white space. */
export function parseHex(text: string): Uint8Array<ArrayBuffer> {
  const digits = text.replaceAll(/\s/g, "");
  const wrong = /[^0-9a-f]/i.exec(digits)?.[0];
  if (wrong !== undefined) throw new InputError("value", `“${wrong}” is no hex digit: write bytes as pairs of 0–9 and a–f.`);
  if (digits.length % 2 !== 0) throw new InputError("value", "A hex digit is missing: each byte has two.");
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

export function parseTags(text: string): string[] {
  return text
    .split(",")
    .map((tag) => tag.trim())
    .filter((tag) => tag !== "");
}

/** The name of the option that the library refused. */
export function optionIn(error: unknown): string | undefined {
  if (!(error instanceof KeyStoreError) || error.code !== "INVALID_OPTION") return undefined;
  return /^The option "(\w+)"/.exec(error.message)?.[1];
}

/** What went wrong, in a line: the library's code first. */
export function describeError(error: unknown): string {
  if (error instanceof KeyStoreError) return `${error.code}: ${error.message}`;
  return error instanceof Error ? error.message || error.name : String(error);
}
