import { find } from "./dom.ts";
import { formatTime } from "./format.ts";

/** Shows what was last heard of the server: there is no standing connection to look at. */
export class ConnectionIndicator {
  readonly #element = find("connection", HTMLParagraphElement);

  unknown(): void {
    this.#show("unknown", "Asking the server …");
  }

  closed(): void {
    this.#show("closed", "No store is open");
  }

  online(): void {
    this.#show("online", "Online");
  }

  offline(): void {
    this.#show("offline", `Offline since ${formatTime(new Date())}`);
  }

  /** Only a change is shown, and so announced by a screen reader. */
  #show(state: string, text: string): void {
    if (this.#element.dataset["state"] === state) return;
    this.#element.dataset["state"] = state;
    this.#element.textContent = text;
  }
}
