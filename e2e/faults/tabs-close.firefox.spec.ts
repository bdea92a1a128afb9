import { test } from "../support/faults.ts";
import { endTabsUnderLoad, TAB_LOAD } from "../support/tab-load.ts";

test(`${TAB_LOAD}: nothing is lost when one tab after another is closed`, async ({ context, openPage, nats, namespace, wire, random }) => {
  await endTabsUnderLoad({ context, openPage, nats, namespace, wire, random }, (tab) => tab.close());
});
