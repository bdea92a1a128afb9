import { readEntriesOptions, readTransferOptions } from "../options/late-checks.ts";
import { iterateEntries, type EntryIteratorPorts } from "../read/entry-iterator.ts";
import { transferPart } from "./transfer-part.ts";
import type { ExportPorts } from "../transfer/export-entries.ts";

export type LateIterations = ReturnType<typeof lateIterations>;

/** Runs an operation of a store. */
export interface Runner {
  run<T>(work: () => Promise<T>): Promise<T>;
}

/** Each step is an operation, so that `close` does not wait for a consumer that has stopped, and later steps reject CLOSED. */
export async function* inSteps(operations: Runner, open: () => AsyncGenerator): AsyncGenerator {
  let source: AsyncGenerator | undefined;
  for (;;) {
    const { done, value } = await operations.run(async () => (source ??= open()).next());
    if (done === true) return;
    yield value;
  }
}

/** The operations that are iterated. They check their arguments at the first step. */
export function lateIterations(ports: EntryIteratorPorts & ExportPorts) {
  return {
    entries: (pattern: unknown = "*", options?: unknown) => iterateEntries(ports, pattern, readEntriesOptions(options)),
    async *export(pattern: unknown = "*", options?: unknown) {
      const checked = readTransferOptions(options);
      yield* (await transferPart.load()).exportEntries(ports, pattern, checked);
    },
  };
}
