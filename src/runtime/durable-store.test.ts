import { describe, expect, it } from "vitest";
import { DURABLE_HEADER_BYTES } from "../model/envelope.ts";
import { FakeStream } from "../testing/fake-stream.ts";
import { event, listen, usePage } from "../testing/stores.ts";

const page = usePage();

function withStream(): FakeStream {
  const stream = new FakeStream();
  page.nats.stream = stream;
  return stream;
}

describe("The revision in the metadata", () => {
  it("is that of the acknowledgement, also in another tab and after a reload", async () => {
    withStream();
    const store = page.open({ durable: true });
    await store.store("other", 1);
    expect(await store.store("k", 1)).toBe(true);
    expect(await store.getMetadata("k")).toMatchObject({ revision: 2, version: 1 });
    expect(await page.open().getMetadata("k")).toMatchObject({ revision: 2 });
    await store.close();
    expect(await page.open({ durable: true }).getMetadata("k")).toMatchObject({ revision: 2 });
  });

  it("is absent while a newer write of the key is not acknowledged", async () => {
    withStream();
    const store = page.open({ durable: true });
    await store.store("k", 1);
    page.nats.stream = undefined;
    expect(await store.store("k", 2)).toBe(false);
    expect(await store.getMetadata("k")).not.toHaveProperty("revision");
  });

  it("is absent in a store without durable mode", async () => {
    withStream();
    const store = page.open();
    await store.store("k", 1);
    expect(await store.getMetadata("k")).not.toHaveProperty("revision");
  });
});

it("Each message of a durable store names the newest revision that its writer has seen", async () => {
  const stream = withStream();
  const store = page.open({ durable: true });
  await store.store("k", 1);
  expect(stream.messages[0]?.headers["Nas-Base"]).toBe("0");
});

it("delete resolves true only if the key existed and the stream has acknowledged it", async () => {
  withStream();
  const store = page.open({ durable: true });
  await store.bulkStore({ a: 1, b: 1 });
  expect(await store.delete("a")).toBe(true);
  expect(await store.delete("absent")).toBe(false);
  page.nats.stream = undefined;
  expect(await store.delete("b")).toBe(false);
  expect(await store.exists("b")).toBe(false);
});

describe("While there is no stream", () => {
  it("a ping is no `online` event; the next successful publication is", async () => {
    const store = page.open({ durable: true });
    const heard = listen(store);
    const offline = event(store, "offline");
    await store.store("k", 1);
    expect((await offline).error).toMatchObject({ code: "STREAM_UNAVAILABLE" });
    expect(await store.ping()).toBe(true);
    withStream();
    const online = event(store, "online");
    expect(await store.flush()).toEqual({ published: 1, pending: 0, rejected: 0 });
    await page.clock.advance(0);
    expect(await online).toEqual({ pending: 0 });
    expect(heard.map(({ type }) => type)).toEqual(["offline", "published", "online"]);
  });

  it("the connection stays open for its time", async () => {
    const store = page.open({ durable: true, lingerMs: 1_000 });
    await store.store("k", 1);
    await store.store("k", 2);
    expect({ dials: page.nats.dials, open: page.nats.open }).toEqual({ dials: 1, open: 1 });
  });

  it("another tab without durable mode does not publish the write of a tab that lives, but that of one that is gone", async () => {
    const store = page.open({ durable: true });
    expect(await store.store("k", 1)).toBe(false);
    const plain = page.open();
    const sent = page.nats.arrived.length;
    expect(await plain.flush()).toMatchObject({ published: 0, pending: 1 });
    expect(page.nats.arrived.length).toBe(sent);
    await store.close();
    expect(await plain.flush()).toMatchObject({ published: 1, pending: 0 });
  });
});

it("A durable store publishes writes that a store without durable mode has queued, and the stream acknowledges them", async () => {
  page.nats.dialling = "refuses";
  const plain = page.open();
  expect(await plain.store("k", 1)).toBe(false);
  await plain.close();
  page.nats.dialling = "answers";
  withStream();
  const store = page.open({ durable: true });
  await store.flush();
  expect(await store.getMetadata("k")).toMatchObject({ revision: 1, pending: false });
});

it("Stores of a page of which one is durable publish each in its own way", async () => {
  page.nats.stream = undefined;
  const [plain, durable] = [page.openTogether(), page.openTogether({ durable: true })];
  expect(await plain.store("a", 1)).toBe(true);
  expect(await durable.store("b", 1)).toBe(false);
});

it("A write that is too large for the server with the headers of durable mode is refused before its commit", async () => {
  withStream();
  const size = async (length: number, durable: boolean): Promise<unknown> => {
    const store = page.open({ durable });
    // Learns the limit.
    await store.ping();
    const storing = store.store("k", "x".repeat(length), { format: "text" });
    const code = await storing.then(
      () => undefined,
      (error: { code: string }) => error.code,
    );
    await store.close();
    return code;
  };
  page.nats.maxPayload = 2_000;
  let [length, tooLong] = [0, 2_000];
  while (tooLong - length > 1) {
    const middle = Math.floor((length + tooLong) / 2);
    if ((await size(middle, false)) === undefined) length = middle;
    else tooLong = middle;
  }
  expect(await size(length - DURABLE_HEADER_BYTES, true)).toBeUndefined();
  expect(await size(length - DURABLE_HEADER_BYTES + 1, true)).toBe("PAYLOAD_TOO_LARGE");
});
