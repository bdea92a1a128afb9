import { refuse } from "./structured-survey.ts";

/** The parts of an error that are kept. The stack is not one of them: it reveals the machine. */
export interface ErrorParts {
  type: string;
  name: string;
  message: string;
  cause?: unknown;
  errors?: unknown;
}

/** The only constructors that data can name. Each takes the parts as its options too, for their `cause`. */
export const ERRORS: Record<string, (parts: ErrorParts) => Error> = {
  Error: (parts) => new Error(parts.message, parts),
  EvalError: (parts) => new EvalError(parts.message, parts),
  RangeError: (parts) => new RangeError(parts.message, parts),
  ReferenceError: (parts) => new ReferenceError(parts.message, parts),
  SyntaxError: (parts) => new SyntaxError(parts.message, parts),
  TypeError: (parts) => new TypeError(parts.message, parts),
  URIError: (parts) => new URIError(parts.message, parts),
  // Must not copy its errors: text can claim the same million of them for each of a million AggregateErrors.
  AggregateError: (parts) => Object.assign(new AggregateError([], parts.message, parts), { errors: parts.errors }),
  DOMException: (parts) => new DOMException(parts.message, parts.name),
};

export function partsOf(error: Error, type: string): ErrorParts {
  const parts: ErrorParts = { type, name: String(error.name), message: String(error.message) };
  if (Object.hasOwn(error, "cause")) parts.cause = error.cause;
  if (type === "AggregateError") parts.errors = (error as AggregateError).errors;
  if (!isErrorParts(parts)) refuse("an AggregateError without a list of errors");
  return parts;
}

export function reviveError(parts: unknown): Error {
  if (!isErrorParts(parts)) refuse("a malformed Error");
  const error = ERRORS[parts.type]!(parts);
  if (error.name !== parts.name) error.name = parts.name;
  return error;
}

function isErrorParts(parts: unknown): parts is ErrorParts {
  const { type, name, message, errors } = Object(parts) as Partial<Record<keyof ErrorParts, unknown>>;
  if (typeof type !== "string" || typeof name !== "string" || typeof message !== "string") return false;
  return Object.hasOwn(ERRORS, type) && Array.isArray(errors) === (type === "AggregateError");
}
