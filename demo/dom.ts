/** The page's element with this id, which must be of this kind. */
export function find<E extends Element>(id: string, kind: new () => E): E {
  const element = document.getElementById(id);
  if (!(element instanceof kind)) throw new Error(`index.html has no ${kind.name} with the id "${id}".`);
  return element;
}

/** A new element with attributes and children. Text only ever becomes text: no HTML is parsed. */
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

/** Fills a definition list. Its elements are kept where the terms are the same, so that a selection in it survives. */
export function define(list: HTMLDListElement, rows: readonly (readonly [term: string, value: string])[]): void {
  const terms = Array.from(list.querySelectorAll("dt"), ({ textContent }) => textContent);
  if (terms.join("\n") !== rows.map(([term]) => term).join("\n")) {
    list.replaceChildren(...rows.map(([term]) => create("div", {}, create("dt", {}, term), create("dd"))));
  }
  const values = list.querySelectorAll("dd");
  for (const [index, [, value]] of rows.entries()) setText(values[index]!, value);
}

/** Touches the document only when the text differs. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

export function onClick(id: string, listener: (button: HTMLButtonElement) => void): void {
  const button = find(id, HTMLButtonElement);
  button.addEventListener("click", () => listener(button));
}
