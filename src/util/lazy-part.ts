import { systemClock, type Clock } from "./clock.ts";
import { within } from "./deadline.ts";
import { KeyStoreError } from "./errors.ts";

/** A server may accept the request for a module and never answer. */
const LOAD_TIMEOUT_MS = 10_000;

/**
 * A part of the library that loads when it is first needed. All stores of a page share it, so it runs on the page's clock and
 * not on the clock of a store.
 */
export class LazyPart<T> {
  /** The part, from its first use on. `nas-keystore/eager` sets it before. */
  loaded: T | undefined;
  readonly #importPart: () => Promise<T>;
  readonly #clock: Clock;

  constructor(importPart: () => Promise<T>, clock = systemClock) {
    this.#importPart = importPart;
    this.#clock = clock;
  }

  /** A failed attempt is not remembered: the next one may succeed. @throws KeyStoreError STORAGE_UNAVAILABLE, also after LOAD_TIMEOUT_MS */
  async load(): Promise<T> {
    try {
      return (this.loaded ??= await within(this.#clock, LOAD_TIMEOUT_MS, this.#importPart(), () => {
        throw new Error("Loading timed out.");
      }));
    } catch (cause) {
      const message = "A part of nas-keystore could not be loaded. Reload the page, or import nas-keystore/eager.";
      throw new KeyStoreError("STORAGE_UNAVAILABLE", message, { cause });
    }
  }
}
