/** The element with this id. @throws Error if it is missing or of another kind */
export function find<E extends Element>(id: string, kind: new () => E): E {
  const element = document.getElementById(id);
  if (!(element instanceof kind)) throw new Error(`index.html has no ${kind.name} with the id "${id}".`);
  return element;
}

/** Creates an element with attributes and children. Strings become text nodes: no HTML is parsed. */
export function create<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Readonly<Record<string, string>> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Fills a definition list. Keeps its elements if the terms are the same, so that a text selection survives. */
export function define(list: HTMLDListElement, rows: readonly (readonly [term: string, value: string])[]): void {
  const terms = Array.from(list.querySelectorAll("dt"), ({ textContent }) => textContent);
  if (terms.join("\n") !== rows.map(([term]) => term).join("\n")) {
    list.replaceChildren(...rows.map(([term]) => create("div", {}, create("dt", {}, term), create("dd"))));
  }
  const values = list.querySelectorAll("dd");
  for (const [index, [, value]] of rows.entries()) setText(values[index]!, value);
}

/** Changes the document only if the text differs. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Calls the listener for each click, unless `setEnabled` has disabled the button. */
export function onClick(id: string, listener: (button: HTMLButtonElement) => void): HTMLButtonElement {
  const button = find(id, HTMLButtonElement);
  button.addEventListener("click", () => {
    if (button.getAttribute("aria-disabled") !== "true") listener(button);
  });
  return button;
}

/** Not the attribute `disabled`: a button that has it loses the keyboard focus. */
export function setEnabled(button: HTMLButtonElement, isEnabled: boolean): void {
  button.setAttribute("aria-disabled", String(!isEnabled));
}
