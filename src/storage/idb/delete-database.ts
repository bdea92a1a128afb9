import type { Clock } from "../../util/clock.ts";
import { asKeyStoreError } from "./errors.ts";
import { boundedRequest } from "./open.ts";

/** Deletes a database. Open connections close at `versionchange`. @throws KeyStoreError STORAGE_UNAVAILABLE when a connection stays open */
export async function deleteDatabase(name: string, clock: Clock): Promise<void> {
  try {
    await boundedRequest(clock, (factory) => factory.deleteDatabase(name), {
      // A request cannot be withdrawn.
      pending: "The browser deletes it, with everything stored until then, as soon as no tab holds it. ",
    });
  } catch (error) {
    throw asKeyStoreError(error);
  }
}
