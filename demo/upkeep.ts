import { confirm } from "./confirm.ts";
import { onClick } from "./dom.ts";
import { count } from "./format.ts";
import { run } from "./notice.ts";
import type { Screen } from "./screen.ts";
import { readSettings } from "./settings.ts";

/** The controls for the outbox, and for the database as a whole. */
export function wireUpkeep(screen: Screen): void {
  const { notices } = screen;

  onClick(
    "flush",
    (button) =>
      void run(button, notices.outbox, async () => {
        const { published, pending, rejected } = await screen.store.flush();
        await screen.refresh();
        const rest = [pending > 0 ? `${pending} pending` : "", rejected > 0 ? `${rejected} rejected` : ""].filter((text) => text !== "");
        notices.outbox.say([`${published} published`, ...rest].join(", ") + ".", rest.length === 0 ? "success" : "waiting");
      }),
  );
  onClick(
    "retry",
    (button) =>
      void run(button, notices.outbox, async () => {
        const queued = await screen.store.retryRejected();
        await screen.afterWrite();
        notices.outbox.say(queued === 0 ? "No write is rejected." : `${count(queued, "write")} queued again.`);
      }),
  );
  onClick(
    "discard",
    (button) =>
      void run(button, notices.outbox, async () => {
        const discarded = await screen.store.discardRejected();
        await screen.afterWrite();
        notices.outbox.say(discarded === 0 ? "No write is rejected." : `${count(discarded, "write")} discarded. The entries stay here.`);
      }),
  );

  onClick(
    "sweep",
    (button) =>
      void run(button, notices.figures, async () => {
        const removed = await screen.store.sweep();
        await screen.refresh();
        notices.figures.say(`Removed ${count(removed, "expired entry", "expired entries")}.`, "success");
      }),
  );
  onClick(
    "clear",
    (button) =>
      void run(button, notices.figures, async () => {
        const yes = await confirm({
          title: "Clear the cache?",
          text: "This removes every confirmed entry from this browser. Unconfirmed entries stay. Nothing is published.",
          yes: "Clear",
        });
        if (!yes) return;
        await screen.store.clearCache();
        await screen.afterWrite();
        notices.figures.say("Cleared.", "success");
      }),
  );
  onClick(
    "destroy",
    (button) =>
      void run(button, notices.figures, async () => {
        const yes = await confirm({
          title: "Destroy the namespace?",
          text:
            `This deletes the database of “${readSettings().namespace}” with its queued writes. It cannot be undone.` +
            (screen.isDurable ? " The stream keeps its entries." : ""),
          yes: "Destroy",
        });
        if (!yes) return;
        await screen.destroy();
        notices.figures.say("The database was deleted. A new one is open.", "success");
      }),
  );
}
