import { describe, expect, it } from "vitest";
import { caught } from "../testing/errors.ts";
import { deferred } from "../testing/fake-connection.ts";
import { FakeStream } from "../testing/fake-stream.ts";
import { usePage } from "../testing/stores.ts";

const page = usePage();

/** An encryption key for which a person is asked. */
function lateKey() {
  const asked = deferred<void>();
  const key = (): Promise<CryptoKey> => {
    asked.resolve();
    return new Promise(() => undefined);
  };
  return { asked: asked.promise, encryption: { key } };
}

/** With one message, which a pull gets of the leader. */
function streamWithMessage(): void {
  const stream = new FakeStream();
  page.nats.stream = stream;
  const { seq } = stream.publish("_kv.test.key.k", {}, new Uint8Array());
  const message = { subject: "_kv.test.key.k", seq, data: "" };
  stream.api = (subject) =>
    subject.includes("CONSUMER.CREATE") ? { num_pending: 0 } : subject.includes("MSG.GET") ? { message } : undefined;
}

describe("A pull that is aborted ends at once", () => {
  const reason = new Error("enough");

  it("while it waits for a connection, or for the stream", async () => {
    for (const dialling of ["hangs", "answers"] as const) {
      streamWithMessage();
      page.nats.dialling = dialling;
      page.nats.isSilent = () => true;
      const store = page.open({ durable: true });
      await store.exists("k");
      const dials = page.nats.dials;
      const controller = new AbortController();
      const pulling = caught(() => store.pull({ signal: controller.signal }));
      await page.nats.when(() => (dialling === "hangs" ? page.nats.dials > dials : page.nats.requests.length > 0));
      controller.abort(reason);
      expect(await pulling).toBe(reason);
      page.nats.cut();
      await store.close();
    }
  });

  it("while the app asks for the encryption key", async () => {
    streamWithMessage();
    const { asked, encryption } = lateKey();
    const store = page.open({ durable: true, encryption });
    const controller = new AbortController();
    const pulling = caught(() => store.pull({ signal: controller.signal }));
    await asked;
    controller.abort(reason);
    expect(await pulling).toBe(reason);
    await store.close();
    await page.nats.closed();
  });
});

it("A pull in the background that waits for the encryption key does not keep a store from closing, nor its connection open", async () => {
  streamWithMessage();
  const { asked, encryption } = lateKey();
  const store = page.open({ durable: { pullEveryMs: 60_000 }, encryption });
  await store.exists("k");
  await asked;
  await store.close();
  await page.nats.closed();
  expect(page.nats.open).toBe(0);
});
