import type { KeyFormat } from "nas-keystore";
import { evaluate, openIframe } from "./realms.ts";

/** A value of the grid, and the formats that keep it. */
export interface OddValue {
  readonly name: string;
  /** An equal value at each call. */
  readonly make: () => unknown;
  readonly formats: readonly KeyFormat[];
  /** The value that the format "structured" returns, if it is another one. */
  readonly returned?: () => unknown;
}

/** The name of a value, the initials of the formats that keep it, and the value. */
type Row = readonly [name: string, formats: string, make: () => unknown];

/** All values that exist in this realm. */
export async function oddValues(): Promise<OddValue[]> {
  const rows = [
    primitives,
    texts,
    objects,
    arrays,
    instances,
    collections,
    bytes,
    errors,
    rawTexts,
    existing(platform),
    existing(await prepared()),
  ];
  return [...rows.flat().map(oddValue), ...foreignValues()];
}

function oddValue([name, formats, make]: Row): OddValue {
  return { name, make, formats: FORMATS.filter(([initial]) => formats.includes(initial!)) };
}

/** Values of an iframe. A worker and Node have none. */
function foreignValues(): OddValue[] {
  if (!("document" in globalThis)) return [];
  const iframe = openIframe();
  return foreign.map(([name, formats, expression]) => ({
    ...oddValue([`${name} of an iframe`, formats, () => evaluate(iframe, expression)]),
    returned: () => evaluate(globalThis, expression),
  }));
}

const FORMATS = ["json", "text", "binary", "structured"] as const;

const primitives: readonly Row[] = [
  ["undefined", "s", () => undefined],
  ["null", "js", () => null],
  ["true", "js", () => true],
  ["zero", "js", () => 0],
  ["negative zero", "js", () => -0],
  ["a fraction", "js", () => 0.1],
  ["the smallest number", "js", () => Number.MIN_VALUE],
  ["the largest number", "js", () => Number.MAX_VALUE],
  ["an unsafe integer", "js", () => 2 ** 53 + 2],
  ["NaN", "s", () => Number.NaN],
  ["Infinity", "s", () => Infinity],
  ["negative Infinity", "s", () => -Infinity],
  ["a BigInt of zero", "s", () => 0n],
  ["a large negative BigInt", "s", () => -(2n ** 200n)],
  ["a symbol", "", () => Symbol("s")],
  ["a registered symbol", "", () => Symbol.for("s")],
  ["a function", "", () => () => 1],
  ["a class", "", () => class Point {}], // oxlint-disable-line typescript/no-extraneous-class
];

const texts: readonly Row[] = [
  ["an empty text", "jts", () => ""],
  ["an emoji", "jts", () => "ä😀"],
  ["control characters", "jts", () => "\0\t\r\n\u007F"],
  ["line separators", "jts", () => "\u2028\u2029"],
  ["a byte order mark", "jts", () => "\uFEFFtext"],
  ["half of a surrogate pair", "js", () => "\ud800"],
  ["markup", "jts", () => "</script><!--"],
  ["the text of a number", "jts", () => "-0"],
  ["the text of JSON", "jts", () => '{"a":1}'],
  ["a long text", "jts", () => "ab ".repeat(2_000)],
];

const twice = { twice: true };
const cycle = (): unknown => {
  const list: unknown[] = [1];
  list.push({ list });
  return list;
};
const boom = (): never => {
  throw new Error("boom");
};

const objects: readonly Row[] = [
  ["an empty object", "js", () => ({})],
  ["a nested object", "js", () => ({ a: { b: { c: [null] } } })],
  ["a property that is undefined", "js", () => ({ a: undefined, b: 1 })],
  ["properties named by numbers", "js", () => ({ 2: "b", 1: "a", "-1": 0, "": 1 })],
  ["an object without a prototype", "js", () => Object.assign(Object.create(null) as object, { a: 1 })],
  ["an own __proto__", "j", () => JSON.parse('{"__proto__":{"admin":true}}') as unknown],
  ["the names of Object.prototype", "js", () => ({ constructor: 1, toString: 2, valueOf: 3, hasOwnProperty: 4 })],
  ["a then that is no function", "js", () => ({ then: 1 })],
  ["a frozen object", "js", () => Object.freeze({ a: 1 })],
  ["an accessor", "js", () => Object.defineProperty({}, "a", { get: () => 1, enumerable: true })],
  ["a hidden property", "js", () => Object.defineProperty({ a: 1 }, "b", { value: 2 })],
  ["an accessor that throws", "", () => ({ list: [Object.defineProperty({}, "a", { get: boom, enumerable: true })] })],
  ["a symbol key", "", () => ({ [Symbol("s")]: 1 })],
  ["a symbol key within", "", () => [{ a: { [Symbol("s")]: 1 } }]],
  ["a proxy", "js", () => new Proxy({ a: 1 }, {})],
  ["a proxy that throws", "", () => [new Proxy({}, { ownKeys: boom })]],
  ["a revoked proxy", "", () => revoked()],
  ["a shared reference", "js", () => [twice, { again: twice }]],
  ["a cycle", "s", cycle],
  ["a function within", "", () => ({ a: [() => 1] })],
  ["a symbol within", "", () => ({ a: Symbol("s") })],
  ["NaN within", "s", () => ({ a: [Number.NaN] })],
  ["a BigInt within", "s", () => ({ a: { b: 1n } })],
  ["an object with toJSON", "j", () => ({ toJSON: () => ({ a: [1] }) })],
  ["a toJSON that throws", "", () => ({ a: { toJSON: boom } })],
  ["a toJSON that returns undefined", "", () => ({ toJSON: () => undefined })],
  ["a forged Map", "", () => [{ [Symbol.toStringTag]: "Map" }]],
];

const nested = (levels: number): unknown => {
  let value: unknown = "core";
  for (let level = 0; level < levels; level++) value = [value];
  return value;
};
const holes = (length: number): unknown[] => Object.assign([], { length });

const arrays: readonly Row[] = [
  ["an empty array", "js", () => []],
  ["a mixed array", "js", () => [1, "a", null, [true]]],
  ["undefined in an array", "s", () => [undefined]],
  ["an array with a hole", "s", () => [1, , 3]], // oxlint-disable-line no-sparse-arrays
  ["an array of holes", "s", () => holes(3)],
  ["a long sparse array", "s", () => Object.assign(holes(5_000), { 4_000: "far" })],
  ["a frozen array", "js", () => Object.freeze([1])],
  ["a proxy of an array", "js", () => new Proxy([1, 2], {})],
  ["an array with a property", "", () => Object.assign([1], { total: 1 })],
  ["an array with a symbol key", "", () => Object.assign([1], { [Symbol("s")]: 1 })],
  ["the result of a regular expression", "", () => /(?<year>\d+)/.exec("in 2026")],
  ["the results of a regular expression", "", () => ["in 2026".match(/\d+/)]],
  ["an arguments object", "", argumentsObject],
  ["an array of 400 levels", "js", () => nested(400)],
  ["an array of 600 levels", "j", () => nested(600)],
];

function argumentsObject(): unknown {
  return arguments; // oxlint-disable-line prefer-rest-params
}

class Point {
  x = 1;
  readonly #y = 2;
  get y(): number {
    return this.#y;
  }
}
class HttpError extends Error {
  status = 404;
}
class SerializableError extends Error {
  toJSON(): unknown {
    return { message: this.message };
  }
}
class SerializableMap extends Map<string, number> {
  toJSON(): unknown {
    return Object.fromEntries(this);
  }
}
class Registry extends Map<number, number> {}
class Tags extends Set<number> {}
class List extends Array<number> {}
class Day extends Date {}
class Bytes extends Uint8Array {}
class Later extends Promise<number> {}

const instances: readonly Row[] = [
  ["a class instance", "j", () => new Point()],
  ["a class instance within", "j", () => ({ list: [new Point()] })],
  ["a subclass of Map", "", () => new Registry([[1, 2]])],
  ["a subclass of Map with toJSON", "j", () => new SerializableMap([["a", 1]])],
  ["a subclass of Set", "", () => new Tags([1])],
  ["a subclass of Array", "j", () => List.of(1, 2)],
  ["a subclass of Date", "j", () => new Day(0)],
  ["a subclass of Error", "", () => new HttpError("m")],
  ["a subclass of Error with toJSON", "j", () => new SerializableError("m")],
  ["a subclass of Uint8Array", "b", () => Bytes.of(1, 2)],
  ["a subclass of Promise", "", () => Later.resolve(1)],
  ["a boxed number", "js", () => Object(1.5) as unknown],
  ["a boxed NaN", "s", () => Object(Number.NaN) as unknown],
  ["a boxed string", "js", () => Object("ab") as unknown],
  ["a boxed boolean", "js", () => Object(false) as unknown],
  ["a boxed BigInt", "s", () => Object(1n) as unknown],
  ["a boxed symbol", "", () => Object(Symbol("s")) as unknown],
];

const collections: readonly Row[] = [
  ["a Date", "js", () => new Date(1_234)],
  ["a Date within", "js", () => ({ at: [new Date(-1)] })],
  ["an invalid Date", "s", () => new Date(Number.NaN)],
  ["an invalid Date within", "s", () => ({ at: new Date(Number.NaN) })],
  ["a Date with a property", "j", () => Object.assign(new Date(0), { zone: "UTC" })],
  ["a RegExp", "s", () => /a+\/[/\]]/giu],
  ["a RegExp within", "s", () => ({ pattern: /x/ })],
  ["an empty Map", "s", () => new Map()],
  [
    "a Map of objects",
    "s",
    () =>
      new Map<unknown, unknown>([
        [twice, [twice]],
        [Number.NaN, new Map()],
      ]),
  ],
  ["a Map within", "s", () => [{ map: new Map([[1, 2]]) }]],
  ["a Map with a property", "", () => Object.assign(new Map(), { total: 1 })],
  ["a proxy of a Map", "", () => new Proxy(new Map(), {})],
  ["an empty Set", "s", () => new Set()],
  ["a Set of objects", "s", () => new Set([{}, [], new Date(0)])],
  ["a WeakMap", "", () => new WeakMap()],
  ["a WeakSet", "", () => new WeakSet()],
  ["a WeakRef", "", () => new WeakRef(twice)],
  ["an iterator of an array", "", () => [1][Symbol.iterator]()],
  ["an iterator of a Map", "", () => new Map([[1, 2]]).entries()],
  ["an iterator of a string", "", () => "ab"[Symbol.iterator]()],
  ["the matches of a regular expression", "", () => "ab".matchAll(/a/g)],
  ["a generator", "", () => (function* () {})()],
  ["an async generator", "", () => (async function* () {})()],
  ["a promise", "", () => Promise.resolve(1)],
  ["a promise within", "", () => ({ a: Promise.resolve(1) })],
  ["a number format", "", () => new Intl.NumberFormat("en")],
  ["a date format", "", () => ({ format: new Intl.DateTimeFormat("en") })],
  ["a locale", "", () => new Intl.Locale("en")],
  ["the namespace Math", "", () => Math],
  ["the namespace JSON", "", () => JSON],
];

const buffer = new Uint8Array([0, 1, 127, 128, 254, 255, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]).buffer;
const VIEWS: readonly (new (buffer: ArrayBuffer) => ArrayBufferView)[] = [
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
  DataView,
];

const bytes: readonly Row[] = [
  ...VIEWS.map((View): Row => [`bytes of a ${View.name}`, "bs", () => new View(buffer.slice(0))]),
  ["an ArrayBuffer", "bs", () => buffer.slice(0)],
  ["an empty ArrayBuffer", "bs", () => new ArrayBuffer(0)],
  ["an ArrayBuffer within", "s", () => ({ buffer: buffer.slice(0) })],
  ["an ArrayBuffer with a property", "b", () => Object.assign(buffer.slice(0), { name: "x" })],
  ["a part of a buffer", "bs", () => new Uint16Array(buffer, 2, 3)],
  ["a typed array within", "s", () => [new Float64Array([1.5, -0, Number.NaN])]],
  ["an empty typed array", "bs", () => new Uint8Array()],
  ["a transferred ArrayBuffer", "", () => transferred().buffer],
  ["a transferred typed array", "", () => transferred()],
  ["a Blob", "b", () => new Blob([buffer])],
  ["an empty Blob", "b", () => new Blob([])],
  ["a Blob within", "", () => [new Blob([buffer])]],
];

function transferred(): Uint8Array {
  const view = new Uint8Array(8);
  structuredClone(view.buffer, { transfer: [view.buffer] });
  return view;
}

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

function selfCaused(): Error {
  const error = new Error("m");
  error.cause = [error];
  return error;
}

const errors: readonly Row[] = [
  ["an Error", "s", () => new Error("m")],
  ["an Error without a message", "s", () => new Error()], // oxlint-disable-line unicorn/error-message
  ["a TypeError with a cause", "s", () => new TypeError("m", { cause: { at: new Date(0) } })],
  ["an error with a code and a status", "s", () => Object.assign(new RangeError("m"), { code: "E_X", status: 404, type: "t" })],
  ["an error with another name", "s", () => Object.assign(new Error("m"), { name: "Mine" })],
  ["an error with a function", "", () => Object.assign(new Error("m"), { retry: () => 1 })],
  ["an error with a symbol key", "", () => Object.assign(new Error("m"), { [Symbol("s")]: 1 })],
  ["an error that contains itself", "", selfCaused],
  ["an AggregateError", "s", () => new AggregateError([new Error("a"), 1], "all")],
  ["a DOMException", "s", () => new DOMException("m", "AbortError")],
  ["errors within", "s", () => [{ status: "rejected", reason: new SyntaxError("m") }]],
];

/** By the names of their classes, values of the platform. Each is tested where its class exists: a worker has no `Element`. */
const platform: Readonly<Record<string, Row>> = {
  URL: ["a URL", "js", () => new URL("https://a.b/ü?q=1#h")],
  URLSearchParams: ["search parameters", "s", () => new URLSearchParams("a=1&a=%20")],
  FormData: ["a form", "", () => new FormData()],
  Headers: ["headers", "", () => new Headers({ a: "b" })],
  Request: ["a request", "", () => new Request("https://a.b/")],
  Response: ["a response", "", () => new Response("a")],
  ReadableStream: ["a readable stream", "", () => new ReadableStream()],
  WritableStream: ["a writable stream", "", () => [new WritableStream()]],
  File: ["a File", "b", () => new File([buffer], "name")],
  AbortController: ["an abort controller", "", () => new AbortController()],
  AbortSignal: ["an abort signal", "", () => ({ signal: new AbortController().signal })],
  Event: ["an event", "", () => new Event("e")],
  EventTarget: ["an event target", "", () => new EventTarget()],
  TextEncoder: ["a text encoder", "", () => new TextEncoder()],
  TextDecoder: ["a text decoder", "", () => ({ decoder: new TextDecoder() })],
  FinalizationRegistry: ["a finalization registry", "", () => new FinalizationRegistry(() => undefined)],
  SharedArrayBuffer: ["shared memory", "", () => new SharedArrayBuffer(4)],
  DOMRect: ["a rectangle", "j", () => new DOMRect(1, 2, 3, 4)],
  ImageData: ["image data", "", () => new ImageData(1, 1)],
  Range: ["a range of a document", "", () => new Range()],
  Storage: ["a storage area", "", () => localStorage],
  Element: ["an element", "", () => document.createElement("div")],
  Text: ["a text node", "", () => [document.createTextNode("a")]],
  NodeList: ["a list of nodes", "", () => document.childNodes],
  CSSStyleDeclaration: ["a style", "", () => document.documentElement.style],
};

const foreign: readonly (readonly [name: string, formats: string, expression: string])[] = [
  ["a plain object", "js", "({ a: [1, { b: null }] })"],
  ["an array", "js", "[1, [2]]"],
  ["a boxed number", "js", "Object(1)"],
  ["a Date", "js", "new Date(5)"],
  ["a Map", "s", "new Map([[{ a: 1 }, [1]]])"],
  ["a Set", "s", "new Set([{ a: 1 }])"],
  ["a RegExp", "s", "/a/g"],
  ["a URL", "js", "new URL('https://a.b/?q')"],
  ["search parameters", "s", "new URLSearchParams('a=b')"],
  ["an error", "s", "Object.assign(new RangeError('m', { cause: { a: 1 } }), { code: 'E' })"],
  ["a DOMException", "s", "new DOMException('m', 'AbortError')"],
  ["an ArrayBuffer", "bs", "new Uint8Array([1, 2]).buffer"],
  ["a part of a buffer", "bs", "new Uint8Array([1, 2, 3]).subarray(1)"],
  ["a Blob", "b", "new Blob(['a'])"],
  ["a class instance", "j", "new (class Point { x = 1 })()"],
  ["a subclass of Map", "", "new (class extends Map {})()"],
  ["a form", "", "new FormData()"],
  ["a promise", "", "[Promise.resolve(1)]"],
];

/** Values that take a promise to make, or that would keep Node running if each call made one. */
async function prepared(): Promise<typeof platform> {
  const { port1 } = new MessageChannel();
  port1.close();
  const cryptoKey = await crypto.subtle.generateKey({ name: "AES-GCM", length: 128 }, false, ["encrypt"]);
  const settled = await Promise.allSettled([Promise.resolve(1), Promise.reject(new RangeError("m"))]);
  const bitmap = "createImageBitmap" in globalThis ? await createImageBitmap(new ImageData(1, 1)) : undefined;
  return {
    MessagePort: ["a message port", "", () => port1],
    CryptoKey: ["a key", "", () => ({ key: cryptoKey })],
    Promise: ["settled promises", "s", () => settled],
    ImageBitmap: ["an image", "", () => [bitmap]],
  };
}

const { rawJSON } = JSON as { rawJSON?: (text: string) => unknown };
const rawTexts: readonly Row[] = rawJSON === undefined ? [] : [["a raw JSON text within", "js", () => ({ a: rawJSON("1") })]];

function existing(rows: typeof platform): Row[] {
  return Object.entries(rows).flatMap(([name, row]) => (name in globalThis ? [row] : []));
}
