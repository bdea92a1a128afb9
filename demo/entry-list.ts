import type { KeyMetadata } from "nas-keystore";
import { create, find, setEnabled, setText } from "./dom.ts";
import { formatRemaining } from "./format.ts";

/** The filter of the keys. */
export interface Filter {
  readonly pattern: string;
  readonly tag: string;
}

/**
 * The keys as a listbox. The focus stays on the list, and `aria-activedescendant` names the selected option, so that replacing
 * the options does not move the focus.
 */
export class EntryList {
  readonly #list = find("keys", HTMLUListElement);
  readonly #empty = find("keys-empty", HTMLDivElement);
  readonly #emptyText = find("keys-empty-text", HTMLParagraphElement);
  readonly #samples = find("samples", HTMLButtonElement);
  readonly #count = find("keys-count", HTMLSpanElement);
  readonly #knownTags = find("known-tags", HTMLDataListElement);
  readonly #pattern = find("pattern", HTMLInputElement);
  readonly #tag = find("tag", HTMLInputElement);
  readonly #pull = find("pull", HTMLButtonElement);
  readonly #deleteByTag = find("delete-by-tag", HTMLButtonElement);
  readonly #onSelect: (key: string) => void;
  #rows: readonly KeyMetadata[] = [];
  #selected: string | undefined;

  constructor(onSelect: (key: string) => void, onFilter: () => void) {
    this.#onSelect = onSelect;
    this.#list.addEventListener("click", (event) => {
      const option = (event.target as Element).closest<HTMLElement>("[role=option]");
      if (option !== null) this.#choose(this.#options.indexOf(option));
    });
    this.#list.addEventListener("keydown", (event) => this.#onKey(event));
    const form = find("filter", HTMLFormElement);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", onFilter);
  }

  get filter(): Filter {
    return { pattern: this.#pattern.value || "*", tag: this.#tag.value.trim() };
  }

  /** @param total the number of keys that match; the rows may be fewer */
  show(rows: readonly KeyMetadata[], total: number, isDurable: boolean): void {
    this.#rows = rows;
    setText(this.#count, rows.length < total ? `first ${rows.length} of ${total.toLocaleString("en")}` : String(total));
    const { pattern, tag } = this.filter;
    const isFiltered = pattern !== "*" || tag !== "";
    setEnabled(this.#deleteByTag, tag !== "");
    setEnabled(this.#pull, isDurable);
    this.#empty.hidden = total > 0;
    this.#samples.hidden = isFiltered;
    const orPull = isDurable ? "import a file, or pull those of other browsers." : "or import a file.";
    setText(this.#emptyText, isFiltered ? "No key matches." : `No keys yet. Store one with the form, ${orPull}`);
    this.#list.replaceChildren(...rows.map(optionOf));
    this.#markSelected();
    this.#suggestTags();
  }

  select(key: string | undefined): void {
    this.#selected = key;
    this.#markSelected();
  }

  /** Focuses the list if no visible element has the focus. */
  takeLostFocus(options: FocusOptions): void {
    const active = document.activeElement;
    if (active === null || active === document.body || !active.checkVisibility()) this.#list.focus(options);
  }

  /** Updates the remaining times. */
  tick(now: number): void {
    for (const [index, { expiresAt }] of this.#rows.entries()) {
      if (expiresAt === null) continue;
      const badge = this.#options[index]?.querySelector(".expires");
      if (badge) setText(badge, formatRemaining(expiresAt.getTime() - now));
    }
  }

  get #options(): HTMLElement[] {
    return Array.from(this.#list.children) as HTMLElement[];
  }

  #onKey(event: KeyboardEvent): void {
    const current = this.#rows.findIndex(({ key }) => key === this.#selected);
    const last = this.#rows.length - 1;
    const next = {
      ArrowDown: Math.min(current + 1, last),
      ArrowUp: current < 0 ? last : Math.max(current - 1, 0),
      PageDown: Math.min(current + 10, last),
      PageUp: Math.max(current - 10, 0),
      Home: 0,
      End: last,
      Enter: current,
      " ": current,
    }[event.key];
    if (next === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    this.#choose(Math.max(next, 0));
  }

  #choose(index: number): void {
    const row = this.#rows[index];
    if (row === undefined) return;
    this.select(row.key);
    scrollIntoList(this.#list, this.#options[index]);
    this.#onSelect(row.key);
  }

  #markSelected(): void {
    this.#list.removeAttribute("aria-activedescendant");
    for (const [index, option] of this.#options.entries()) {
      const isSelected = this.#rows[index]?.key === this.#selected;
      option.setAttribute("aria-selected", String(isSelected));
      if (isSelected) this.#list.setAttribute("aria-activedescendant", option.id);
    }
  }

  #suggestTags(): void {
    const tags = new Set(this.#rows.flatMap(({ tags }) => tags));
    this.#knownTags.replaceChildren(...[...tags].toSorted().map((value) => create("option", { value })));
  }
}

const STATES = ["pending", "rejected", "stale", "encrypted"] as const;

function optionOf(metadata: KeyMetadata, index: number): HTMLLIElement {
  const { key, format, expiresAt } = metadata;
  const badge = (text: string, kind = ""): HTMLSpanElement => create("span", { class: `badge ${kind}` }, text);
  return create(
    "li",
    { role: "option", id: `key-${index}`, title: key },
    create("span", { class: "key" }, key),
    create(
      "span",
      { class: "badges" },
      ...STATES.filter((state) => metadata[state]).map((state) => badge(state, state)),
      ...(expiresAt === null ? [] : [badge(formatRemaining(expiresAt.getTime() - Date.now()), "expires")]),
      badge(format),
    ),
  );
}

/** Scrolls only the list; scrollIntoView would scroll the page too. */
function scrollIntoList(list: HTMLElement, option: HTMLElement | undefined): void {
  if (option === undefined) return;
  const top = option.offsetTop - list.offsetTop;
  if (top < list.scrollTop) list.scrollTop = top;
  const below = top + option.offsetHeight - list.clientHeight;
  if (below > list.scrollTop) list.scrollTop = below;
}
