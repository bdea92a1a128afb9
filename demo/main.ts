import { find, onClick } from "./dom.ts";
import { optionIn } from "./input.ts";
import { run } from "./notice.ts";
import { wireMatches } from "./matches.ts";
import { Screen } from "./screen.ts";
import type { SessionSettings } from "./session.ts";
import { keepSettings, readSettings } from "./settings.ts";
import { wireUpkeep } from "./upkeep.ts";
import { wireWriting } from "./writing.ts";

const screen = new Screen();
const { notices } = screen;
const form = find("settings", HTMLFormElement);
const server = find("server", HTMLInputElement);
const namespace = find("namespace", HTMLInputElement);
const passphrase = find("passphrase", HTMLInputElement);
const durable = find("durable", HTMLInputElement);

wireWriting(screen);
wireMatches(screen);
wireUpkeep(screen);

form.addEventListener("submit", (event) => {
  event.preventDefault();
  void run(form, notices.settings, async () => {
    const settings = {
      server: server.value.trim(),
      namespace: namespace.value,
      passphrase: passphrase.value,
      durable: durable.checked,
    };
    await open(settings);
    const opened = `Opened “${settings.namespace}”${settings.passphrase === "" ? "" : " with the passphrase"}.`;
    const stream = settings.durable ? ` ${await ensureStream()}` : "";
    notices.settings.say(opened + stream, "success");
  });
});

form.addEventListener("input", () => markInvalid(undefined));

onClick(
  "ping",
  (button) =>
    void run(button, notices.settings, async () => {
      const { ms, failure } = await screen.ping();
      if (failure === undefined) notices.settings.say(`The server answered within ${ms} ms.`, "success");
      else notices.settings.say(`The ping failed after ${ms} ms: ${failure}`, "error");
    }),
);

const settings = readSettings();
server.value = settings.server;
namespace.value = settings.namespace;
durable.checked = settings.durable;
void run(form, notices.settings, async () => {
  await open({ ...settings, passphrase: "" });
  if (settings.durable) notices.settings.say(await ensureStream(), "success");
});

async function open(settings: SessionSettings): Promise<void> {
  markInvalid(undefined);
  try {
    await screen.open(settings);
  } catch (error) {
    markInvalid(error);
    throw error;
  }
  keepSettings(settings);
}

/** Creates the stream of the open store, if there is none. @returns a sentence about it */
async function ensureStream(): Promise<string> {
  const { stream, created } = await screen.store.ensureStream();
  return created ? `Created the stream “${stream}”.` : `The stream is “${stream}”.`;
}

/** Marks the field that an error is about; `undefined` clears the marks. */
function markInvalid(error: unknown): void {
  const fields: Record<string, HTMLInputElement> = { servers: server, namespace };
  for (const field of Object.values(fields)) field.removeAttribute("aria-invalid");
  fields[optionIn(error) ?? ""]?.setAttribute("aria-invalid", "true");
}
