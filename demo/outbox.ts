import type { PendingWrite } from "nas-keystore";
import { create, find, setEnabled, setText } from "./dom.ts";
import { count } from "./format.ts";

const MAX_ROWS = 50;

/** The list of unconfirmed writes. */
export class Outbox {
  readonly #list = find("outbox", HTMLUListElement);
  readonly #empty = find("outbox-empty", HTMLParagraphElement);
  readonly #count = find("outbox-count", HTMLSpanElement);
  readonly #forRejected = [find("retry", HTMLButtonElement), find("discard", HTMLButtonElement)];

  show(writes: readonly PendingWrite[]): void {
    setText(this.#count, writes.length === 0 ? "" : String(writes.length));
    this.#empty.hidden = writes.length > 0;
    const someRejected = writes.some(({ rejected }) => rejected);
    for (const button of this.#forRejected) setEnabled(button, someRejected);
    const cards = writes.slice(0, MAX_ROWS).map(card);
    if (writes.length > MAX_ROWS) cards.push(create("li", {}, `… and ${count(writes.length - MAX_ROWS, "more write")}`));
    this.#list.replaceChildren(...cards);
  }
}

function card({ key, operation, version, attempts, lastError, rejected }: PendingWrite): HTMLLIElement {
  const facts = `${operation} · version ${version} · ${attempts === 0 ? "not tried yet" : count(attempts, "attempt")}`;
  return create(
    "li",
    { "data-rejected": String(rejected) },
    create("strong", { class: "key" }, key),
    create("span", {}, rejected ? `rejected · ${facts}` : facts),
    ...(lastError === undefined ? [] : [create("span", { class: "reason" }, lastError)]),
  );
}
