import { find } from "./dom.ts";
import { formatTime } from "./format.ts";

/** Shows whether the server answered last. There is no standing connection whose state could be shown. */
export class ConnectionIndicator {
  readonly #element = find("connection", HTMLParagraphElement);

  unknown(): void {
    this.#show("unknown", "Connecting to the server …");
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

  /** Changes the text only with the state, because a screen reader announces each change. */
  #show(state: string, text: string): void {
    if (this.#element.dataset["state"] === state) return;
    this.#element.dataset["state"] = state;
    this.#element.textContent = text;
  }
}
