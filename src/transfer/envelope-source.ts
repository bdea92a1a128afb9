import { abortable } from "../util/abort.ts";
import { KeyStoreError, messageOf } from "../util/errors.ts";

/** The iterable of an import. It is read no further than it is asked to. */
export class EnvelopeSource {
  readonly #iterator: Iterator<unknown> | AsyncIterator<unknown>;
  readonly #isAsync: boolean;
  readonly #signal: AbortSignal | undefined;
  #isDone = false;

  /** @throws KeyStoreError INVALID_VALUE */
  constructor(envelopes: unknown, signal: AbortSignal | undefined) {
    this.#signal = signal;
    const iterable = (typeof envelopes === "object" ? envelopes : undefined) as Partial<AsyncIterable<unknown> & Iterable<unknown>> | null;
    const refuse = (cause?: unknown): never => {
      const message = "The envelopes must be an iterable or an async iterable of objects. Parse the lines of a file first.";
      throw new KeyStoreError("INVALID_VALUE", message, { cause });
    };
    try {
      const asynchronous = iterable?.[Symbol.asyncIterator]?.();
      this.#isAsync = asynchronous !== undefined;
      this.#iterator = asynchronous ?? iterable?.[Symbol.iterator]?.() ?? refuse();
    } catch (cause) {
      throw cause instanceof KeyStoreError ? cause : refuse(cause);
    }
  }

  get isDone(): boolean {
    return this.#isDone;
  }

  /**
   * Reads the next envelope, in a box: it may be anything. Undefined at the end. An abort ends the wait for it.
   * @throws the signal's reason; KeyStoreError INVALID_VALUE when the iterable throws
   */
  async next(): Promise<{ readonly envelope: unknown } | undefined> {
    this.#signal?.throwIfAborted();
    try {
      const next = this.#isAsync ? await abortable(this.#signal, async () => this.#iterator.next()) : this.#iterator.next();
      const { done, value } = next as IteratorResult<unknown>;
      if (done !== true) return { envelope: value };
      this.#isDone = true;
      return undefined;
    } catch (cause) {
      this.#signal?.throwIfAborted();
      this.#isDone = true;
      const message = `The envelopes cannot be read (${messageOf(cause)}). Correct the iterable.`;
      throw new KeyStoreError("INVALID_VALUE", message, { cause });
    }
  }

  /** Tells the iterable that no more envelopes are read. Must not wait: a generator that waits for its next item answers after that. */
  close(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    new Promise((resolve) => resolve(this.#iterator.return?.())).catch(() => undefined);
  }
}
