import { expect, it } from "vitest";
import { deferred } from "../testing/fake-connection.ts";
import { storeEnvelope } from "../testing/envelopes.ts";
import { FakeStream } from "../testing/fake-stream.ts";
import { usePage } from "../testing/stores.ts";
import { bytesOf } from "../util/utf8.ts";

const page = usePage();

it("update runs its function again when a pull has replaced the entry meanwhile, though by one of the same version", async () => {
  const stream = new FakeStream();
  page.nats.stream = stream;
  const store = page.open({ durable: true });
  await store.store("k", ["mine"]);
  const [running, goOn] = [deferred<void>(), deferred<void>()];
  const updating = store.update("k", async (present: unknown) => {
    running.resolve();
    await goOn.promise;
    return [...(present as string[]), "more"];
  });
  await running.promise;
  stream.publish("_kv.test.key.k", {}, bytesOf(JSON.stringify(storeEnvelope("k", '["theirs"]', { version: 1 }))));
  expect(await store.retrieve("k", { pull: "always" })).toEqual(["theirs"]);
  goOn.resolve();
  expect(await updating).toBe(true);
  expect(await store.retrieve("k")).toEqual(["theirs", "more"]);
});

it("retrieve with pull reads a stream that was created again, whose revisions are smaller", async () => {
  const first = new FakeStream();
  page.nats.stream = first;
  const store = page.open({ durable: true });
  await store.bulkStore({ other: 0, k: "mine" });
  await store.store("k", "mine again");
  const again = new FakeStream();
  page.nats.stream = again;
  again.publish("_kv.test.key.k", {}, bytesOf(JSON.stringify(storeEnvelope("k", '"theirs"'))));
  expect(await store.retrieve("k", { pull: "always" })).toBe("theirs");
  expect(await store.getMetadata("k")).toMatchObject({ revision: 1 });
  expect(await store.store("k", "mine at last", { ifRevision: 1 })).toBe(true);
});
