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
      notices.write.say(found ? `“${key}” is shown under Entry.` : `“${key}” does not exist here.`);
    }),
  );

  onClick(
    "samples",
    (button) =>
      void run(button, notices.keys, async () => {
        const keepFocus = screen.keepFocusOf(button);
        const { stored, queued } = await storeSamples(screen.store);
        await screen.afterWrite();
        keepFocus();
        const done = `Stored ${stored.length} entries.`;
        if (queued.length === 0) notices.keys.say(done, "success");
        else await sayQueued(notices.keys, `Stored ${stored.length} entries, ${queued.length} are queued.`, queued, done);
      }),
  );

  onClick("details-edit", () => {
    if (details.entry !== undefined) form.fill(details.entry);
  });
  onClick(
    "details-touch",
    (button) =>
      void run(button, notices.details, async () => {
        const { entry } = details;
        if (entry === undefined) return;
        const { key, ttl } = entry.metadata;
        const exists = await screen.store.touch(key);
        await screen.refresh();
        if (!exists) notices.details.say(`“${key}” does not exist here.`);
        else if (ttl === null) notices.details.say("The entry has no TTL: it never expires.");
        else notices.details.say("The TTL has started again.", "success");
      }),
  );
  onClick(
    "details-verify",
    (button) =>
      void run(button, notices.details, async () => {
        if (details.selected === undefined) return;
        await screen.store.retrieve(details.selected, { useCache: false });
        notices.details.say("Read from IndexedDB. The checksum matches.", "success");
        await screen.refresh();
      }),
  );
  onClick(
    "details-delete",
    (button) =>
      void run(button, notices.details, async () => {
        const key = details.selected;
        if (key === undefined) return;
        const keepFocus = screen.keepFocusOf(button);
        try {
          await remove(key, notices.details);
        } catch (error) {
          // The entry is deleted here even if the server rejects the delete.
          if (isRejection(error)) await screen.afterWrite(key);
          throw error;
        } finally {
          keepFocus();
        }
      }),
  );

  function onWrite(control: HTMLElement, work: () => Promise<void>): void {
    void run(control, notices.write, async () => {
      form.markInvalid(undefined);
      try {
        await work();
      } catch (error) {
        form.markInvalid(error);
        // The entry is stored here even if the server rejects the write.
        if (isRejection(error)) await screen.afterWrite(form.key);
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
    else
      await sayQueued(
        notices.write,
        `Queued “${key}”: kept here, and published as soon as the server answers.`,
        [key],
        `Published “${key}”.`,
      );
  }

  async function remove(key: string, notice: Notice): Promise<void> {
    const { store } = screen;
    // In durable mode, delete() returns false for a queued delete too.
    const existed = await store.exists(key);
    await store.delete(key);
    const isQueued = (await store.pendingWrites()).some((write) => write.key === key);
    await screen.afterWrite(key);
    const here = existed ? `Deleted “${key}”` : `“${key}” does not exist here`;
    const published = existed ? `${here}.` : `${here}. The delete is published.`;
    if (!isQueued) return notice.say(published, "success");
    await sayQueued(notice, `${here}; the delete is queued, and published as soon as the server answers.`, [key], published);
  }

  /** Must follow `afterWrite`, which reads the state after the write. */
  async function sayQueued(notice: Notice, text: string, keys: readonly string[], published: string): Promise<void> {
    notice.sayQueued(text, keys, published);
    await screen.refresh();
  }
}

function isRejection(error: unknown): boolean {
  return error instanceof KeyStoreError && error.code === "PUBLISH_REJECTED";
}
