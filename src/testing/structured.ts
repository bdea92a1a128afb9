import { expect } from "vitest";
import { KeyStoreError } from "../util/errors.ts";
import { decodeStructured, encodeStructured } from "../values/structured.ts";

export const encode = (value: unknown): string => encodeStructured("k", value);
export const decode = (text: string): unknown => decodeStructured("k", text);
export const roundTrip = <T>(value: T): T => decode(encode(value)) as T;

/** The KeyStoreError that a call throws. */
export function failureOf(call: () => unknown): KeyStoreError {
  try {
    call();
  } catch (error) {
    if (error instanceof KeyStoreError) return error;
    throw error;
  }
  throw new Error("It should have thrown.");
}

/** The path to the refused value, as the message has it. */
export function refusedAt(value: unknown): string | undefined {
  const error = failureOf(() => encode(value));
  expect(error).toMatchObject({ code: "INVALID_VALUE", key: "k" });
  return /cannot keep (value.*?) \(/s.exec(error.message)?.[1];
}

/** Expects a refusal for size. The path may be long, so the message has only its start. */
export function expectTooMuch(value: unknown, pathStart: string, limit: number): void {
  const { code, message } = failureOf(() => encode(value));
  expect(code).toBe("INVALID_VALUE");
  expect(message).toContain(`value${pathStart}`);
  expect(message).toMatch(new RegExp(`\\b${limit}\\b`));
  expect(message.length).toBeLessThan(400);
}

export function expectUndecodable(text: string): KeyStoreError {
  const error = failureOf(() => decode(text));
  expect(error).toMatchObject({ code: "DECODE_FAILED", key: "k" });
  expect(error.cause).toBeDefined();
  return error;
}

export const oneTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1);
export const holes = (length: number): unknown[] => Object.assign([], { length });

export function nested(levels: number, wrap: (inner: unknown) => unknown): unknown {
  let value: unknown = "core";
  for (let i = 0; i < levels; i++) value = wrap(value);
  return value;
}
