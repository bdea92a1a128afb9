import { crash } from "../support/crash.ts";
import { test } from "../support/faults.ts";
import { expectTakeover } from "../support/takeover.ts";

for (const connected of [true, false]) {
  test(`a live tab publishes the running writes of a tab that crashes (${connected ? "connected" : "connecting"})`, async ({
    page: living,
    openPage,
    nats,
    wire,
    namespace,
    openLink,
    consoleGuard,
  }) => {
    consoleGuard.allowFailedSockets();
    await expectTakeover({ living, ending: await openPage(), nats, link: await openLink(nats), wire, namespace, connected }, crash);
  });
}
