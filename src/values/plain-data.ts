import { parentOf, tagOf } from "../util/tag.ts";

/**
 * Whether an object is the app's own data: a plain object of any realm, or an instance of a class that the app has written.
 * Every other object belongs to the language or the platform, which keep its contents where JSON does not find them.
 */
export function isPlainData(item: object): boolean {
  const prototype = parentOf(item);
  // `Math`, `arguments` and the namespace of a module have tags of their own.
  if (isRoot(prototype)) return tagOf(item) === "[object Object]";
  return isOwnClass(prototype!) && !isGlobalClass(item);
}

/** Whether a prototype is null, or the Object.prototype of any realm. */
const isRoot = (prototype: object | null): boolean => prototype === null || parentOf(prototype) === null;

/** Prototype → whether it and those above it are the app's. */
const ownClasses = new WeakMap<object, boolean>();

function isOwnClass(prototype: object): boolean {
  if (isRoot(prototype)) return true;
  let isOwn = ownClasses.get(prototype);
  if (isOwn === undefined) ownClasses.set(prototype, (isOwn = !isBuiltIn(prototype) && isOwnClass(parentOf(prototype)!)));
  return isOwn;
}

/** The prototypes of iterators have no constructor, but built-in methods. */
function isBuiltIn(prototype: object): boolean {
  const valueOf = (name: PropertyKey): unknown => Object.getOwnPropertyDescriptor(prototype, name)?.value;
  const own = valueOf("constructor");
  return typeof own === "function" ? isNative(own) : Reflect.ownKeys(prototype).some((name) => isNative(valueOf(name)));
}

/** A bound function and a proxy show native code too, but no name. */
function isNative(value: unknown): boolean {
  return typeof value === "function" && /^function \S+\(\) \{\s*\[native code\]/.test(Function.prototype.toString.call(value));
}

/** Whether the class is a global like `Promise`, but is written in JavaScript: by Node, jsdom or a polyfill. */
function isGlobalClass(item: object): boolean {
  const tag = tagOf(item).slice(8, -1);
  const named = (globalThis as Record<string, unknown>)[tag];
  // An app's own globals are enumerable.
  const isStandard = typeof named === "function" && named !== Object && !Object.prototype.propertyIsEnumerable.call(globalThis, tag);
  return isStandard && item instanceof named;
}
