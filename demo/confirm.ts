import { find } from "./dom.ts";

/** Asks in a dialog; Escape and Cancel say no. */
export function confirm({ title, text, yes }: { title: string; text: string; yes: string }): Promise<boolean> {
  const dialog = find("confirm", HTMLDialogElement);
  find("confirm-title", HTMLHeadingElement).textContent = title;
  find("confirm-text", HTMLParagraphElement).textContent = text;
  find("confirm-yes", HTMLButtonElement).textContent = yes;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "confirm"), { once: true });
  });
}
