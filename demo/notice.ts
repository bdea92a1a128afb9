import type { PendingWrite } from "nas-keystore";
import { find } from "./dom.ts";
import { describeError } from "./input.ts";

type Kind = "success" | "waiting" | "error" | "info";

/** A line with the result of the last operation. Its space is reserved, so that the layout does not move. */
export class Notice {
  readonly #element: HTMLParagraphElement;
  /** The keys of the queued writes that the notice is about, and the text for when they are published. */
  #queued: { readonly keys: Set<string>; readonly published: string } | undefined;

  constructor(id: string) {
    this.#element = find(id, HTMLParagraphElement);
  }

  say(text: string, kind: Kind = "info"): void {
    this.#queued = undefined;
    this.#element.dataset["kind"] = kind;
    this.#element.textContent = text;
  }

  fail(error: unknown): void {
    this.say(describeError(error), "error");
  }

  /** Says that writes are queued, until `settle` finds that they are not. */
  sayQueued(text: string, keys: Iterable<string>, published: string): void {
    this.say(text, "waiting");
    this.#queued = { keys: new Set(keys), published };
  }

  /** @param writes all pending writes */
  settle(writes: readonly PendingWrite[]): void {
    if (this.#queued === undefined) return;
    const { keys, published } = this.#queued;
    const left = writes.filter(({ key }) => keys.has(key));
    if (left.length === 0) this.say(published, "success");
    else if (left.every(({ rejected }) => rejected)) this.say("The server rejected the write. See Outbox.", "error");
  }

  /**
   * Clears the notice after a later write, or after an operation on many entries (no key). A notice about queued writes stays, unless the
   * last of its keys is written again: the queued write may be superseded and never published.
   */
  overtake(key?: string): void {
    if (this.#queued === undefined) this.clear();
    else if (key !== undefined && this.#queued.keys.delete(key) && this.#queued.keys.size === 0) this.clear();
  }

  clear(): void {
    this.#queued = undefined;
    this.#element.textContent = "";
  }
}

/**
 * Runs the work of a control, once at a time. Marks the control as busy and shows errors in the notice.
 * The control is not disabled, because a disabled control loses the keyboard focus.
 */
export async function run(control: HTMLElement, notice: Notice, work: () => Promise<void>): Promise<void> {
  if (control.getAttribute("aria-busy") === "true") return;
  control.setAttribute("aria-busy", "true");
  notice.clear();
  try {
    await work();
  } catch (error) {
    notice.fail(error);
  } finally {
    control.removeAttribute("aria-busy");
  }
}
