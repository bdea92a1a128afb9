import { find } from "./dom.ts";
import { describeError } from "./input.ts";

type Kind = "success" | "waiting" | "error" | "info";

/** A line that says how the last operation went; its place is kept free, so that nothing moves when it speaks. */
export class Notice {
  readonly #element: HTMLParagraphElement;

  constructor(id: string) {
    this.#element = find(id, HTMLParagraphElement);
  }

  say(text: string, kind: Kind = "info"): void {
    this.#element.dataset["kind"] = kind;
    this.#element.textContent = text;
  }

  fail(error: unknown): void {
    this.say(describeError(error), "error");
  }

  clear(): void {
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
