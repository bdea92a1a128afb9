import { describe, expect, it, vi } from "vitest";
import { NatsConnection } from "../network/nats-connection.ts";
import type { NatsClient } from "../network/nats-client.ts";
import { FakeClock } from "../testing/fake-clock.ts";
import { messageTo } from "../testing/fake-connection.ts";
import { FakeNats } from "../testing/fake-nats.ts";
import { FakeStream } from "../testing/fake-stream.ts";
import { StreamPublisher } from "./stream-publisher.ts";

async function setUp({ mayExpire = true, timeoutMs = 2_000 } = {}) {
  const clock = new FakeClock();
  const nats = new FakeNats();
  const stream = new FakeStream();
  nats.stream = stream;
  const client = async () => (await nats.connect()) as NatsClient;
  const publisher = new StreamPublisher(clock, { mayExpire });
  const begin = async (...messages: ReturnType<typeof messageTo>[]) => {
    const connection = new NatsConnection(
      clock,
      await client(),
      () => undefined,
      () => undefined,
    );
    return { connection, ...publisher.begin(connection, messages, clock.monotonic() + timeoutMs) };
  };
  /** The results of messages that are published together. */
  const publish = async (...messages: ReturnType<typeof messageTo>[]) => {
    const { done, resultOf } = await begin(...messages);
    await done;
    return messages.map((_, index) => resultOf(index));
  };
  const headers = () => stream.messages.map((message) => message.headers);
  return { clock, nats, stream, begin, publish, headers };
}

describe("A message to the stream", () => {
  it("is confirmed by its own acknowledgement, with the sequence as its revision", async () => {
    const { publish, headers } = await setUp();
    expect(await publish(messageTo("a", { base: 7 }), messageTo("b"))).toEqual([
      { status: "confirmed", revision: 1 },
      { status: "confirmed", revision: 2 },
    ]);
    expect(headers()).toEqual([{ "Nats-Msg-Id": "id-a", "Nas-Base": "7" }, { "Nats-Msg-Id": "id-b" }]);
  });

  it("has no base that is no revision: a row of the database may have been written by anybody", async () => {
    const { publish, headers } = await setUp();
    await publish(messageTo("a", { base: "7\r\nNats-Rollup: all" as unknown as number }), messageTo("b", { base: -1 }));
    expect(headers()).toEqual([{ "Nats-Msg-Id": "id-a" }, { "Nats-Msg-Id": "id-b" }]);
  });

  it("that the stream has already is confirmed with the sequence that it has", async () => {
    const { publish, stream } = await setUp();
    await publish(messageTo("a"), messageTo("b"));
    expect(await publish(messageTo("a"))).toEqual([{ status: "confirmed", revision: 1 }]);
    expect(stream.lastSequence).toBe(2);
  });

  it("has an unknown result with STREAM_UNAVAILABLE where no stream takes it", async () => {
    const { nats, publish } = await setUp();
    nats.stream = undefined;
    const error = { code: "STREAM_UNAVAILABLE", message: expect.stringContaining("No stream takes messages") as string };
    expect(await publish(messageTo("a"))).toMatchObject([{ status: "unknown", error }]);
  });

  it.each([{}, { seq: undefined, stream: "S" }, { error: {} }])("has an unknown result where the answer is %j", async (answer) => {
    const { publish, stream } = await setUp();
    stream.publish = () => answer;
    expect(await publish(messageTo("a"))).toMatchObject([{ status: "unknown", error: { code: "STREAM_UNAVAILABLE" } }]);
  });

  it.each([
    [503, 10077, "maximum messages exceeded"],
    [500, 10049, "raft: no quorum"],
  ])("has an unknown result where the stream cannot take it now (%i, %i)", async (code, err_code, description) => {
    const { publish, stream } = await setUp();
    stream.refuses = ({ headers }) => (headers["Nats-Msg-Id"] === "id-a" ? { code, err_code, description } : undefined);
    expect(await publish(messageTo("a"), messageTo("b"))).toMatchObject([
      { status: "unknown", error: { code: "STREAM_UNAVAILABLE", message: expect.stringContaining(description) as string } },
      { status: "confirmed", revision: 1 },
    ]);
  });

  it.each([
    ["no JSON", "+OK"],
    ["no acknowledgement", {}],
    ["no object", null],
    ["the sequence 0", { seq: 0 }],
    ["a negative sequence", { seq: -1 }],
    ["a sequence as text", { seq: "1" }],
    ["a broken sequence", { seq: 1.5 }],
    ["no sequence", { seq: null }],
    ["a sequence that numbers cannot hold", { seq: 2 ** 53 }],
    ["an error that says nothing", { error: {} }],
    ["an error that is no object", { error: "no" }],
    ["an error whose code is none", { error: { code: "bad" }, seq: 1 }],
    ["an error with the code of a success", { error: { code: 200 } }],
  ])("has an unknown result where the answer is garbage: %s", async (_, answer) => {
    const { publish, stream } = await setUp();
    stream.publish = () => answer as ReturnType<typeof stream.publish>;
    expect(await publish(messageTo("a"))).toMatchObject([{ status: "unknown", error: { code: "STREAM_UNAVAILABLE" } }]);
  });

  it("is rejected where the stream refuses it for good", async () => {
    const { publish, stream } = await setUp();
    stream.refuses = () => ({ code: 400, err_code: 10054, description: "message size exceeds maximum allowed" });
    expect(await publish(messageTo("a"))).toMatchObject([{ status: "rejected", error: { errorCode: 10054, code: 400 } }]);
  });

  it("is rejected where its sender has no permission, though no acknowledgement follows", async () => {
    const { nats, publish } = await setUp();
    nats.denies = (subject) => subject.endsWith(".b");
    expect(await publish(messageTo("a"), messageTo("b"))).toMatchObject([{ status: "confirmed" }, { status: "rejected" }]);
  });

  it("has an unknown result where its sender may not receive replies, also on a connection that has learned that before", async () => {
    const { nats, begin } = await setUp();
    nats.deniesReplies = true;
    const { connection, done, resultOf } = await begin(messageTo("a"));
    await done;
    expect(resultOf(0)).toMatchObject({ status: "unknown", error: { code: "STREAM_UNAVAILABLE" } });
    const clock = new FakeClock();
    const second = new StreamPublisher(clock, { mayExpire: true }).begin(connection, [messageTo("b")], 2_000);
    await second.done;
    expect(second.resultOf(0)).toMatchObject({ status: "unknown", error: { code: "STREAM_UNAVAILABLE" } });
  });

  it("is refused here where it is too large with all its headers: the server would close the connection", async () => {
    const { nats, publish } = await setUp();
    const message = messageTo("a", { base: 123, data: new Uint8Array(100).fill(32) });
    nats.maxPayload = `NATS/1.0\r\nNats-Msg-Id: id-a\r\nNas-Base: 123\r\n\r\n`.length + 99;
    expect(await publish(message)).toMatchObject([{ status: "rejected" }]);
    expect(nats.arrived).toEqual([]);
  });

  it("that is the last of a batch has the sequence of its acknowledgement", async () => {
    const { publish } = await setUp();
    expect(await publish(messageTo("a", { headers: { "Nats-Batch-Id": "b" } }))).toEqual([{ status: "confirmed", revision: 1 }]);
  });

  it("may be one of 1,000 at once, and no inbox is left over", async () => {
    const { begin, clock, stream } = await setUp();
    const { connection } = await begin();
    const expectReply = connection.replies.expect.bind(connection.replies);
    let inboxes = 0;
    vi.spyOn(connection.replies, "expect").mockImplementation((listener) => {
      const inbox = expectReply(listener);
      inboxes++;
      return {
        ...inbox,
        end: () => {
          inboxes--;
          inbox.end();
        },
      };
    });
    const messages = Array.from({ length: 1_000 }, (_, n) => messageTo(`k${n}`));
    const { done, resultOf } = new StreamPublisher(clock, { mayExpire: true }).begin(connection, messages, 2_000);
    expect(inboxes).toBe(1_000);
    await done;
    expect(messages.every((_, index) => resultOf(index)?.status === "confirmed")).toBe(true);
    expect(stream.lastSequence).toBe(1_000);
    expect(inboxes).toBe(0);
  });
});

describe("A batch", () => {
  it("ends at the deadline with unknown results where the server answers, but the stream does not", async () => {
    const { clock, nats, begin } = await setUp();
    nats.isSilent = (subject) => subject.endsWith(".b");
    const { connection, done, resultOf } = await begin(messageTo("a"), messageTo("b"));
    await connection.roundTrip();
    await clock.advance(2_000);
    await done;
    expect([resultOf(0), resultOf(1)]).toMatchObject([
      { status: "confirmed", revision: 1 },
      { status: "unknown", error: { code: "STREAM_UNAVAILABLE", message: expect.stringContaining("in time") as string } },
    ]);
    expect(clock.timers).toBe(0);
  });

  it("has no results at the deadline where the server does not answer either: its connection does not work", async () => {
    const { clock, nats, begin } = await setUp();
    nats.hold();
    const { connection, done, resultOf } = await begin(messageTo("a"));
    await clock.advance(2_000);
    expect(resultOf(0)).toBeUndefined();
    void connection.close();
    await expect(done).rejects.toThrow("lost");
    expect(clock.timers).toBe(0);
  });

  it("rejects when the connection is lost, and keeps the results that it has", async () => {
    const { nats, begin } = await setUp();
    nats.isSilent = (subject) => subject.endsWith(".b");
    const { done, resultOf } = await begin(messageTo("a"), messageTo("b"));
    await new Promise(setImmediate);
    nats.cut();
    await expect(done).rejects.toThrow("lost");
    expect([resultOf(0), resultOf(1)]).toEqual([{ status: "confirmed", revision: 1 }, undefined]);
  });

  it("keeps the refusal of a message when the connection is lost before the server has answered", async () => {
    const { nats, begin } = await setUp();
    nats.denies = () => true;
    nats.hold();
    const { done, resultOf } = await begin(messageTo("a"));
    await new Promise(setImmediate);
    nats.cut();
    await expect(done).rejects.toThrow("lost");
    expect(resultOf(0)).toMatchObject({ status: "rejected" });
  });

  it("of no messages is done at once", async () => {
    expect(await (await setUp()).publish()).toEqual([]);
  });
});

describe("The TTL of a message", () => {
  const expiring = (ms: number, clock: FakeClock) => messageTo("a", { expiresAt: clock.now() + ms });

  it.each([
    [1_500, "2s"],
    [-5_000, "1s"],
    [1e18, "9000000000s"],
  ])("is in whole seconds (%d ms: %s)", async (ms, ttl) => {
    const { clock, nats, publish, headers } = await setUp();
    nats.version = "2.11.0";
    await publish(expiring(ms, clock));
    expect(headers()[0]?.["Nats-TTL"]).toBe(ttl);
  });

  it.each([
    ["2.10.29", true],
    ["", true],
    ["2.12.1", false],
  ])(
    "is left out where the server is %j, or the stream keeps older messages (%j: it keeps the last one only)",
    async (version, mayExpire) => {
      const { clock, nats, publish, headers } = await setUp({ mayExpire });
      nats.version = version;
      await publish(expiring(1_000, clock));
      expect(headers()[0]).toEqual({ "Nats-Msg-Id": "id-a" });
    },
  );

  it("is left out from the first refusal on: the message goes again", async () => {
    const { clock, nats, publish, headers, stream } = await setUp();
    nats.version = "2.15.0";
    stream.refuses = ({ headers: { "Nats-TTL": ttl } }) =>
      ttl === undefined ? undefined : { code: 400, err_code: 10166, description: "per-message TTL is disabled" };
    expect(await publish(expiring(1_000, clock))).toEqual([{ status: "confirmed", revision: 1 }]);
    await publish(messageTo("b", { expiresAt: clock.now() + 1 }));
    expect(headers().map(({ "Nats-TTL": ttl }) => ttl)).toEqual([undefined, undefined]);
    expect(nats.arrived).toHaveLength(3);
  });
});
