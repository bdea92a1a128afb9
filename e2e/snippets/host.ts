import { NASKeyStore } from "nas-keystore";
import type { SnippetContext } from "./context.ts";

type Run = (context: SnippetContext) => Promise<void>;

/** Runs a snippet. @param addresses where the test's server listens */
export async function runSnippet(
  run: Run,
  addresses: Pick<SnippetContext, "server" | "tcpServer">,
  publish?: () => Promise<void>,
): Promise<void> {
  await run({
    ...addresses,
    namespace: `snippet-${crypto.randomUUID()}`,
    check(actual, expected) {
      const [left, right] = [JSON.stringify(actual), JSON.stringify(expected)];
      if (left !== right) throw new Error(`Expected ${right}, got ${left}.`);
    },
    async settled(isTrue) {
      while (!(await isTrue())) await new Promise((resolve) => setTimeout(resolve, 50));
    },
    publish: publish ?? (() => publishTo(addresses.server)),
  });
}

/** Stores and deletes an entry, as the readers of messages expect them. */
export async function publishTo(server: string): Promise<void> {
  const store = new NASKeyStore({ servers: server, namespace: "my_app" });
  await store.store("user:123", { name: "Alice" });
  await store.delete("user:123");
  await store.close();
}
