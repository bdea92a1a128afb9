const MAX_ITEMS = 200;
const MAX_DEPTH = 12;
const INDENT = "  ";

/** Prints a value for a developer, with Map, Set, Date, BigInt, typed arrays, errors and cycles. */
export function inspect(value: unknown): string {
  return print(value, "", new Set());
}

function print(value: unknown, indent: string, parents: ReadonlySet<object>): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "bigint") return `${value}n`;
  if (Object.is(value, -0)) return "-0";
  if (typeof value !== "object" || value === null) return String(value);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "Date(invalid)" : `Date(${value.toISOString()})`;
  if (value instanceof RegExp) return String(value);
  if (parents.has(value)) return "[circular]";
  if (parents.size >= MAX_DEPTH) return "[…]";

  const within = new Set([...parents, value]);
  const deeper = indent + INDENT;
  const inner = (item: unknown): string => print(item, deeper, within);
  const block = (open: string, lines: Iterable<string>, close: string): string => {
    const shown = [...limited(lines)];
    return shown.length === 0 ? open + close : `${open}\n${shown.map((line) => deeper + line).join(",\n")}\n${indent}${close}`;
  };

  if (value instanceof Map)
    return block(
      `Map(${value.size}) {`,
      map(value, ([key, item]) => `${inner(key)} → ${inner(item)}`),
      "}",
    );
  if (value instanceof Set) return block(`Set(${value.size}) {`, map(value, inner), "}");
  if (value instanceof Error) {
    const cause = value.cause === undefined ? [] : [`cause: ${inner(value.cause)}`];
    return block(`${value.name}(${JSON.stringify(value.message)})${cause.length > 0 ? " {" : ""}`, cause, cause.length > 0 ? "}" : "");
  }
  if (value instanceof ArrayBuffer) return `ArrayBuffer ${print(new Uint8Array(value), indent, parents)}`;
  if (ArrayBuffer.isView(value) && Symbol.iterator in value) {
    const items = value as ArrayBufferView & Iterable<number | bigint>;
    return `${items.constructor.name} [${[...limited(map(items, inner))].join(", ")}]`;
  }
  if (Array.isArray(value)) {
    const items: unknown[] = value;
    return block(
      "[",
      map(items.keys(), (index) => (index in items ? inner(items[index]) : "(hole)")),
      "]",
    );
  }
  return block(
    "{",
    map(Object.entries(value), ([key, item]) => `${propertyName(key)}: ${inner(item)}`),
    "}",
  );
}

function propertyName(name: string): string {
  return /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(name) ? name : JSON.stringify(name);
}

function* map<T>(items: Iterable<T>, print: (item: T) => string): Generator<string> {
  for (const item of items) yield print(item);
}

function* limited(lines: Iterable<string>): Generator<string> {
  let shown = 0;
  for (const line of lines) {
    if (shown++ === MAX_ITEMS) return yield "…";
    yield line;
  }
}
