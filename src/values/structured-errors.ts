import { refuse } from "./structured-survey.ts";

/**
 * The parts of an error that are kept: its name and message, and its own properties, under the name of each. The name of its class
 * is under `constructor`, where an error has no property of its own. The stack is not kept: it reveals the machine.
 */
export interface ErrorParts {
  constructor: string;
  name: string;
  message: string;
  errors?: unknown;
}

/** The only constructors that data can name. */
export const ERRORS: Record<string, (message: string, name: string) => Error> = {
  Error: (message) => new Error(message),
  EvalError: (message) => new EvalError(message),
  RangeError: (message) => new RangeError(message),
  ReferenceError: (message) => new ReferenceError(message),
  SyntaxError: (message) => new SyntaxError(message),
  TypeError: (message) => new TypeError(message),
  URIError: (message) => new URIError(message),
  AggregateError: (message) => new AggregateError([], message),
  DOMException: (message, name) => new DOMException(message, name),
};

/** The properties that the language defines as not enumerable. */
const HIDDEN = ["cause", "errors"];

export function partsOf(error: Error, className: string): ErrorParts {
  const { name, message } = error;
  const own = new Set([...HIDDEN.filter((name) => name in error), ...Object.keys(error)]);
  for (const name of ["name", "message", "stack"]) own.delete(name);
  if (own.has("constructor")) refuse('an error with a property "constructor"');
  const properties = Array.from(own, (name) => [name, (error as unknown as Record<string, unknown>)[name]]);
  // Unlike an assignment, this is safe with a name like `__proto__`.
  const parts: unknown = Object.fromEntries([...Object.entries({ constructor: className, name, message }), ...properties]);
  if (!isErrorParts(parts)) refuse("an error whose name, message or list of errors has another type");
  return parts;
}

/** Makes the errors of one text. */
export function errorReviver(): (parts: unknown) => Error {
  const revived = new Set<unknown>();
  return (parts) => {
    // Text can claim the same million properties for each of a million errors.
    if (!isErrorParts(parts) || revived.has(parts)) refuse("a malformed Error");
    revived.add(parts);
    const { constructor: className, name, message, ...properties } = parts;
    const error = ERRORS[className]!(message, name);
    if (error.name !== name) error.name = name;
    // Must not copy the list of errors: text can claim the same list for each of many errors.
    for (const [name, value] of Object.entries(properties)) {
      Object.defineProperty(error, name, { value, enumerable: !HIDDEN.includes(name), writable: true, configurable: true });
    }
    return error;
  };
}

function isErrorParts(parts: unknown): parts is ErrorParts {
  const { constructor: className, name, message, errors } = Object(parts) as Record<keyof ErrorParts, unknown>;
  if (typeof className !== "string" || typeof name !== "string" || typeof message !== "string") return false;
  return Object.hasOwn(ERRORS, className) && (className !== "AggregateError" || Array.isArray(errors));
}
