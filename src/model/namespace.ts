import { KeyStoreError } from "../util/errors.ts";
import { namespaceProblem } from "./key.ts";

/** @throws KeyStoreError INVALID_OPTION */
export function assertNamespace(namespace: unknown): asserts namespace is string {
  const expected = namespaceProblem(namespace);
  if (expected) throw new KeyStoreError("INVALID_OPTION", `The option "namespace" must be ${expected}.`, { option: "namespace" });
}
