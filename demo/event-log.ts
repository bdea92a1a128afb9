import { create, find, onClick, setText } from "./dom.ts";
import { count, formatTime } from "./format.ts";
import { describeError } from "./input.ts";
import type { StoreEvent } from "./session.ts";

const MAX_LINES = 200;

/** The events of the store, newest first. */
export class EventLog {
  readonly #list = find("log", HTMLOListElement);
  readonly #empty = find("log-empty", HTMLParagraphElement);
  readonly #count = find("log-count", HTMLSpanElement);

  constructor() {
    onClick("log-clear", () => {
      this.#list.replaceChildren();
      this.#showCount();
    });
  }

  add(event: StoreEvent): void {
    const now = new Date();
    this.#list.prepend(
      create(
        "li",
        { "data-type": event.type },
        create("time", { datetime: now.toISOString() }, formatTime(now)),
        create("strong", {}, event.type),
        create("span", {}, describe(event)),
      ),
    );
    if (this.#list.childElementCount > MAX_LINES) this.#list.lastElementChild?.remove();
    this.#showCount();
  }

  #showCount(): void {
    const lines = this.#list.childElementCount;
    this.#empty.hidden = lines > 0;
    setText(this.#count, lines === 0 ? "" : lines === MAX_LINES ? `last ${MAX_LINES}` : String(lines));
  }
}

function describe({ type, detail }: StoreEvent): string {
  switch (type) {
    case "published":
      return `${detail.operation} of ${detail.key}, version ${detail.version}`;
    case "rejected":
      return `${detail.key}, version ${detail.version}: ${describeError(detail.error)}`;
    case "offline":
      return `${describeError(detail.error)} ${waiting(detail.pending)}`;
    case "online":
      return `The server answers. ${waiting(detail.pending)}`;
    case "corrupt":
      return `${detail.key}: ${describeError(detail.error)}`;
    case "conflict":
      return `${detail.key}: another browser's write replaced version ${detail.metadata.version}`;
    case "reset":
      return detail.reason;
  }
}

function waiting(pending: number): string {
  return pending === 0 ? "No write is pending." : `${count(pending, "write")} ${pending === 1 ? "is" : "are"} pending.`;
}
