import { crash } from "../support/crash.ts";
import { test } from "../support/faults.ts";
import { endTabsUnderLoad, TAB_LOAD } from "../support/tab-load.ts";

test(`no write is lost when one tab after another crashes (${TAB_LOAD})`, async ({ context, openPage, nats, namespace, wire, random }) => {
  await endTabsUnderLoad({ context, openPage, nats, namespace, wire, random }, async (tab) => {
    await crash(tab);
    await tab.close();
  });
});
