import type { StringifyOperations } from "devalue";
import { ERRORS, partsOf, type ErrorParts } from "./structured-errors.ts";
import { membersOf, propertiesOf, refuse, type Contents } from "./structured-survey.ts";

/** Decimal digits of one BigInt: reading them takes more than linear time. */
export const MAX_DIGITS = 10_000;

const BIGINT_LIMIT = 10n ** BigInt(MAX_DIGITS);

/**
 * The values that devalue would visit in a value. Refuses values that cannot be kept.
 * @param errors receives the parts of each error, which devalue writes instead of the error
 */
export function contentsOf(value: unknown, errors: Map<unknown, ErrorParts>): Contents | undefined {
  if (typeof value === "function" || typeof value === "symbol") refuse(`a ${typeof value}`);
  if (typeof value === "bigint" && (value >= BIGINT_LIMIT || value <= -BIGINT_LIMIT)) {
    refuse(`a BigInt of more than ${MAX_DIGITS} digits`);
  }
  if (typeof value !== "object" || value === null) return undefined;

  const tag = Object.prototype.toString.call(value).slice(8, -1);
  const className = classNameOf(value, tag);
  const isError = Object.hasOwn(ERRORS, className) && (tag === "Error" || tag === className);
  // A tag alone can be forged, and an instance of a subclass would come back without its class.
  if (tag !== className && !isError) refuse(`an instance of ${className || "an unknown class"}`);
  // The names of the elements of a view would take longer to read than its bytes.
  if (ArrayBuffer.isView(value)) return [[value.buffer, "buffer"]];

  const lost = lostPropertyOf(value, isError || tag === "Object");
  if (lost !== undefined) refuse(`the property ${String(lost)} of an instance of ${tag}`);
  if (isError) {
    const parts = partsOf(value as Error, className);
    errors.set(value, parts);
    return [[parts]];
  }
  switch (tag) {
    case "Object":
      return propertiesOf(value);
    case "Array":
      return elementsOf(value as unknown[]);
    case "Map":
      return entriesOf(value as Map<unknown, unknown>);
    case "Set":
      return membersOf(value as Set<unknown>);
    case "Number":
    case "String":
    case "Boolean":
    case "BigInt":
      return [[value.valueOf()]];
    case "ArrayBuffer":
      // Throws if its bytes have been transferred.
      return void new Uint8Array(value as ArrayBuffer);
    case "Date":
    case "RegExp":
    case "URL":
    case "URLSearchParams":
      return undefined;
    default:
      return refuse(`an instance of ${tag}`);
  }
}

/** Empty if it cannot be told, or is that of a superclass as well. */
function classNameOf(value: object, tag: string): string {
  const prototype = prototypeOf(value);
  if (prototype === null) return "Object";
  // Tests replace the global Date by a subclass. It is the class of the decoded value too.
  const Class = Reflect.get(globalThis, tag) as { prototype?: unknown } | undefined;
  if (prototype === Class?.prototype) return tag;
  const name = prototype.constructor?.name;
  return typeof name === "string" && prototypeOf(prototype)?.constructor?.name !== name ? name : "";
}

function prototypeOf(value: object): { constructor?: { name?: unknown } } | null {
  return Object.getPrototypeOf(value) as { constructor?: { name?: unknown } } | null;
}

/** An enumerable property that would be lost: with a symbol as its key, or, unless names are kept, any that is not an element. */
function lostPropertyOf(value: object, keepsNames: boolean): PropertyKey | undefined {
  const symbol = Object.getOwnPropertySymbols(value).find((symbol) => Object.prototype.propertyIsEnumerable.call(value, symbol));
  if (symbol !== undefined || keepsNames) return symbol;
  // The names of elements come first.
  const name = Object.keys(value).at(-1);
  const index = Number(name) >>> 0;
  return String(index) === name && index < (value as unknown[]).length ? undefined : name;
}

/** Visits holes as well: they count. */
function* elementsOf(array: readonly unknown[]): Contents {
  for (let i = 0; i < array.length; i++) yield [array[i], i];
}

function* entriesOf(map: ReadonlyMap<unknown, unknown>): Contents {
  for (const [mapKey, value] of map) {
    const step = { mapKey };
    yield [mapKey, step];
    yield [value, step];
  }
}

type ViewInfo = ReturnType<StringifyOperations["viewInfo"]>;

/** Presents a view to devalue as one of a whole buffer: the bytes around it must not be written. */
export function viewInfo({ buffer, byteOffset, byteLength }: ArrayBufferView): ViewInfo {
  const own = byteLength === buffer.byteLength ? buffer : buffer.slice(byteOffset, byteOffset + byteLength);
  return { buffer: own, byteOffset: 0, byteLength, bufferByteLength: byteLength };
}
