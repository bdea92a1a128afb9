import type { KeyStoreError, KeyStoreErrorCode } from "../util/errors.ts";

/** The KeyStoreError that a call throws, at once or as a rejection. */
export async function errorOf(work: () => unknown): Promise<KeyStoreError> {
  const thrown = await caught(work);
  // By name: a test that loads modules anew has another class of this name.
  if (thrown instanceof Error && thrown.name === "KeyStoreError") return thrown as KeyStoreError;
  throw new Error(`It should have thrown a KeyStoreError, not ${String(thrown)}.`, { cause: thrown });
}

/** The code of the KeyStoreError that a call throws. */
export async function codeOf(work: () => unknown): Promise<KeyStoreErrorCode> {
  return (await errorOf(work)).code;
}

/** Whatever a call throws, at once or as a rejection. */
export async function caught(work: () => unknown): Promise<unknown> {
  try {
    await work();
  } catch (error) {
    return error;
  }
  throw new Error("It should have thrown.");
}
