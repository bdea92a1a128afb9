import { KeyStoreError } from "nas-keystore";
import { onClick } from "./dom.ts";
import { WriteForm } from "./form.ts";
import { run, type Notice } from "./notice.ts";
import { storeSamples } from "./samples.ts";
import type { Screen } from "./screen.ts";

/** The controls that write and read entries. */
export function wireWriting(screen: Screen): void {
  const { details, notices } = screen;
  const form = new WriteForm();

  form.element.addEventListener("submit", (event) => {
    event.preventDefault();
    onWrite(form.element, () => write("store"));
  });
  onClick("update", () => onWrite(form.element, () => write("update")));
  onClick("delete", () => onWrite(form.element, () => remove(form.key, notices.write)));
  onClick("retrieve", () =>
    onWrite(form.element, async () => {
      const { key } = form;
      const found = await screen.store.exists(key);
      await screen.show(key);
      notices.write.say(found ? `“${key}” is shown under Entry.` : `There is no “${key}” here.`);
    }),
  );

  onClick("samples", (button) =>
    void run(button, notices.keys, async () => {
      const results = await storeSamples(screen.store);
      await screen.afterWrite();
      const queued = results.filter((published) => !published).length;
      notices.keys.say(`Stored ${results.length} entries${queued === 0 ? "" : `, ${queued} are queued`}.`, queued === 0 ? "success" : "waiting");
    }),
  );

  onClick("details-edit", () => {
    if (details.entry !== undefined) form.fill(details.entry);
  });
  onClick("details-verify", (button) =>
    void run(button, notices.details, async () => {
      if (details.selected === undefined) return;
      await screen.store.retrieve(details.selected, { useCache: false });
      notices.details.say("Read from IndexedDB: the checksum is right.", "success");
      await screen.refresh();
    }),
  );
  onClick("details-delete", (button) =>
    void run(button, notices.details, async () => {
      if (details.selected !== undefined) await remove(details.selected, notices.details);
    }),
  );

  function onWrite(control: HTMLElement, work: () => Promise<void>): void {
    void run(control, notices.write, async () => {
      form.markInvalid(undefined);
      try {
        await work();
      } catch (error) {
        form.markInvalid(error);
        // Refused by the server is stored here all the same.
        if (error instanceof KeyStoreError && error.code === "PUBLISH_REJECTED") await screen.afterWrite(form.key);
        throw error;
      }
    });
  }

  async function write(operation: "store" | "update"): Promise<void> {
    const { key } = form;
    const { value, options } = form.read();
    const published = await screen.store[operation](key, value, options);
    await screen.afterWrite(key);
    if (published) notices.write.say(`Published “${key}”.`, "success");
    else notices.write.say(`Queued “${key}”: kept here, and published as soon as the server answers.`, "waiting");
  }

  async function remove(key: string, notice: Notice): Promise<void> {
    const existed = await screen.store.delete(key);
    await screen.afterWrite(key);
    notice.say(existed ? `Deleted “${key}”.` : `There was no “${key}” here; the delete is published all the same.`, "success");
  }
}
