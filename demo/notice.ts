import type { PendingWrite } from "nas-keystore";
import { find } from "./dom.ts";
import { describeError } from "./input.ts";

type Kind = "success" | "waiting" | "error" | "info";

/** A line that says how the last operation went; its place is kept free, so that nothing moves when it speaks. */
export class Notice {
  readonly #element: HTMLParagraphElement;
  /** The keys whose queued writes it speaks of, and what to say once they are published. */
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

  /** @param writes all that wait */
  settle(writes: readonly PendingWrite[]): void {
    if (this.#queued === undefined) return;
    const { keys, published } = this.#queued;
    const left = writes.filter(({ key }) => keys.has(key));
    if (left.length === 0) this.say(published, "success");
    else if (left.every(({ rejected }) => rejected)) this.say("The server refused it: see Outbox.", "error");
  }

  /** The key is written anew: what was queued before may never be published. */
  overtake(key: string): void {
    if (this.#queued?.keys.delete(key) && this.#queued.keys.size === 0) this.clear();
  }

  clear(): void {
    this.#queued = undefined;
    this.#element.textContent = "";
  }
}

/**
 * Runs what a control asks for: once at a time, marked as busy meanwhile, errors told in the notice.
 * The control is not disabled: that would take the focus away from under the keyboard.
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
