import { crash } from "../support/crash.ts";
import { test } from "../support/faults.ts";
import { endTabsUnderLoad, TAB_LOAD } from "../support/tab-load.ts";

test(`${TAB_LOAD}: nothing is lost when one tab after another crashes`, async ({ context, openPage, nats, namespace, wire, random }) => {
  await endTabsUnderLoad({ context, openPage, nats, namespace, wire, random }, async (tab) => {
    await crash(tab);
    await tab.close();
  });
});
