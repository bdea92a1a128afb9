import { assert } from "chai";
import type { KeyStoreError, KeyStoreErrorCode } from "nas-keystore";

/** Resolves to the error with which a promise rejects. Fails when it resolves. */
export async function rejection(promise: Promise<unknown>): Promise<KeyStoreError> {
  const outcome = await promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if ("error" in outcome) return outcome.error as KeyStoreError;
  return assert.fail(`The call resolved to ${String(outcome.value)} and did not reject.`);
}

/** Fails unless the promise rejects with a KeyStoreError of this code. */
export async function assertRejects(promise: Promise<unknown>, code: KeyStoreErrorCode): Promise<KeyStoreError> {
  const error = await rejection(promise);
  assert.equal(error.code, code, error.stack);
  assert.equal(error.name, "KeyStoreError");
  return error;
}

/** The result of a method, or of the first step if the result is an async iterable. */
export function firstStep(result: unknown): unknown {
  const isIterable = typeof result === "object" && result !== null && Symbol.asyncIterator in result;
  return isIterable ? (result as AsyncIterable<unknown>)[Symbol.asyncIterator]().next() : result;
}
