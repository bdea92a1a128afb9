import { describe, expect, it, vi } from "vitest";
import { FakeClock } from "../testing/fake-clock.ts";
import { deferred, FakeConnection, messageTo } from "../testing/fake-connection.ts";
import type { Connection } from "./connection.ts";
import type { BeginExchange } from "./exchange.ts";
import { NatsTransport } from "./nats-transport.ts";

function setUp(connect?: () => Promise<Connection>, lingerMs = 0, begin?: BeginExchange) {
  const clock = new FakeClock();
  const connection = new FakeConnection();
  const listener = {
    connected: vi.fn<() => void>(),
    answered: vi.fn<() => void>(),
    unreachable: vi.fn<() => void>(),
    broken: vi.fn<(error: Error) => void>(),
  };
  const options = { clock, timeoutMs: 2_000, lingerMs };
  const transport = new NatsTransport(connect ?? (() => Promise.resolve(connection)), listener, options, begin);
  return { clock, connection, listener, transport };
}

const CONFIRMED = { status: "confirmed" };

describe("A publication", () => {
  it("sends all messages in their order, with one flush, and closes the connection", async () => {
    const { clock, connection, transport, listener } = setUp();
    const messages = ["a", "b", "c"].map((key) => messageTo(key));
    expect(await transport.publish(messages)).toEqual([CONFIRMED, CONFIRMED, CONFIRMED]);
    expect(connection.published).toEqual(messages);
    expect(connection.roundTrips).toBe(1);
    expect(listener.answered).toHaveBeenCalledTimes(1);
    await clock.advance(0);
    expect(connection.closes).toBe(1);
  });

  it("sends nothing on a connection that opens too late, and leaves the connection to others", async () => {
    const opened = deferred<Connection>();
    const { clock, connection, transport, listener } = setUp(() => opened.promise);
    const publishing = transport.publish([messageTo("a")], clock.monotonic() + 1_000);
    await clock.advance(1_001);
    opened.resolve(connection);
    expect(await publishing).toMatchObject([{ status: "unknown" }]);
    expect(connection.published).toEqual([]);
    expect(listener.broken).not.toHaveBeenCalled();
  });

  it("rejects the message that the server refuses, and confirms the others", async () => {
    const { connection, transport, listener } = setUp();
    const denied = new Error("Permissions Violation");
    connection.refuses = ({ id }) => (id === "id-b" ? denied : undefined);
    expect(await transport.publish(["a", "b", "c"].map((key) => messageTo(key)))).toEqual([
      CONFIRMED,
      { status: "rejected", error: denied },
      CONFIRMED,
    ]);
    expect(listener.broken).not.toHaveBeenCalled();
  });

  it("rejects a message whose refusal comes during the flush", async () => {
    const { connection, transport } = setUp();
    const receipt: { refusal?: Error } = {};
    vi.spyOn(connection, "publish").mockReturnValue(receipt);
    connection.answer = async () => void (receipt.refusal = new Error("late"));
    expect(await transport.publish([messageTo("a")])).toEqual([{ status: "rejected", error: new Error("late") }]);
  });

  it.each(["_kv.test.key.a b", "_kv.test.key.a\r\nPUB other 0\r\n", "_kv.test.key.*", "_kv.test.key.>", "_kv.test.key.", "$SYS.REQ", ""])(
    "never hands the subject %j to the client",
    async (subject) => {
      const { connection, transport } = setUp();
      const results = await transport.publish([messageTo("a", { subject }), messageTo("b")]);
      expect(results.map(({ status }) => status)).toEqual(["rejected", "confirmed"]);
      expect(connection.published.map(({ id }) => id)).toEqual(["id-b"]);
    },
  );

  it.each(["gone\r\nNats-Rollup: all-1", "a b-1", "ö-1", "\0-1"])("never hands the id %j to the client", async (id) => {
    const { connection, transport } = setUp();
    const results = await transport.publish([messageTo("a", { id }), messageTo("b")]);
    expect(results.map(({ status }) => status)).toEqual(["rejected", "confirmed"]);
    expect(connection.published.map(({ id: sent }) => sent)).toEqual(["id-b"]);
  });

  it("rejects a message that is larger than the server accepts, headers included, and publishes one that just fits", async () => {
    const { connection, transport } = setUp();
    const fits = messageTo("a", { data: new Uint8Array(100) });
    connection.maxPayloadBytes = 100 + `NATS/1.0\r\nNats-Msg-Id: ${fits.id}\r\n\r\n`.length;
    const results = await transport.publish([fits, messageTo("b", { data: new Uint8Array(101) })]);
    expect(results[0]).toEqual(CONFIRMED);
    expect(results[1]).toMatchObject({ status: "rejected", error: { message: expect.stringContaining("at most") as string } });
    expect(connection.published).toEqual([fits]);
  });
});

it("A transport knows the largest message that the server accepts once a connection was open", async () => {
  const { connection, transport } = setUp();
  connection.maxPayloadBytes = 1_000;
  expect(transport.maxMessageBytes).toBe(Infinity);
  await transport.ping();
  expect(transport.maxMessageBytes).toBe(1_000);
});

describe("A connection that fails", () => {
  it("leaves all results unknown and is closed when it is lost before the flush is answered", async () => {
    const { clock, connection, transport, listener } = setUp();
    connection.answer = () => Promise.reject(new Error("lost"));
    expect(await transport.publish([messageTo("a"), messageTo("b")])).toEqual([
      { status: "unknown", error: new Error("lost") },
      { status: "unknown", error: new Error("lost") },
    ]);
    expect(listener.broken).toHaveBeenCalledExactlyOnceWith(new Error("lost"));
    await clock.advance(0);
    expect(connection.closes).toBe(1);
  });

  it("is closed at once, whatever lingerMs is", async () => {
    const { clock, connection, transport } = setUp(undefined, 60_000);
    connection.answer = () => Promise.reject(new Error("lost"));
    await transport.publish([messageTo("a")]);
    await clock.advance(0);
    expect(connection.closes).toBe(1);
  });

  it("leaves results unknown that did not come by the deadline", async () => {
    const { clock, connection, transport, listener } = setUp();
    connection.answer = () => new Promise(() => undefined);
    const publishing = transport.publish([messageTo("a")]);
    await clock.advance(2_000);
    expect(await publishing).toMatchObject([{ status: "unknown", error: { message: "The server did not answer within 2000 ms." } }]);
    expect(listener.broken).toHaveBeenCalledTimes(1);
    expect(connection.closes).toBe(1);
  });

  it("rejects the messages that the server refused before the connection was lost", async () => {
    const { connection, transport } = setUp();
    connection.refuses = ({ id }) => (id === "id-a" ? new Error("denied") : undefined);
    connection.answer = () => Promise.reject(new Error("lost"));
    expect((await transport.publish([messageTo("a"), messageTo("b")])).map(({ status }) => status)).toEqual(["rejected", "unknown"]);
  });

  it("leaves all results unknown when it throws at one message, though earlier messages may have arrived", async () => {
    const { connection, transport } = setUp();
    vi.spyOn(connection, "publish").mockImplementation(({ id }) => {
      if (id === "id-b") throw new Error("CONNECTION_CLOSED");
      return {};
    });
    expect((await transport.publish(["a", "b", "c"].map((key) => messageTo(key)))).map(({ status }) => status)).toEqual([
      "unknown",
      "unknown",
      "unknown",
    ]);
    expect(connection.roundTrips).toBe(0);
  });

  it("is reported once as unreachable when it cannot be opened, and all results are unknown", async () => {
    const { transport, listener } = setUp(() => Promise.reject(new Error("refused")));
    expect(await transport.publish([messageTo("a")])).toEqual([{ status: "unknown", error: new Error("refused") }]);
    expect(listener.unreachable).toHaveBeenCalledTimes(1);
    expect(listener.broken).not.toHaveBeenCalled();
  });
});

it("Connecting and flushing share one deadline", async () => {
  const connection = new FakeConnection();
  connection.answer = () => new Promise(() => undefined);
  const { clock, transport } = setUp(() => new Promise((resolve) => void clock.setTimer(() => resolve(connection), 1_500)));
  let done = false;
  const publishing = transport.publish([messageTo("a")]).then(() => (done = true));
  await clock.advance(1_999);
  expect(done).toBe(false);
  await clock.advance(1);
  await publishing;
});

it("A ping resolves to whether a server answers", async () => {
  expect(await setUp().transport.ping()).toBe(true);
  expect(await setUp(() => Promise.reject(new Error("refused"))).transport.ping()).toBe(false);
  const silent = setUp();
  silent.connection.answer = () => new Promise(() => undefined);
  const pinging = silent.transport.ping();
  await silent.clock.advance(2_000);
  expect(await pinging).toBe(false);
});

describe("A stream that does not take every message", () => {
  const unavailable = new Error("no stream");
  const setUpStream = () => {
    const stream = { isThere: false };
    const fake = setUp(undefined, 60_000, () => ({
      done: Promise.resolve(),
      resultOf: (index) =>
        index === 0 || stream.isThere ? { status: "confirmed", revision: index + 1 } : { status: "unknown", error: unavailable },
    }));
    return { ...fake, stream };
  };

  it("leaves the connection open, and is reported as the failure of an open connection", async () => {
    const { clock, connection, transport, listener } = setUpStream();
    expect(await transport.publish([messageTo("a"), messageTo("b")])).toEqual([
      { status: "confirmed", revision: 1 },
      { status: "unknown", error: unavailable },
    ]);
    expect(listener.broken).toHaveBeenCalledExactlyOnceWith(unavailable);
    expect(listener.answered).not.toHaveBeenCalled();
    await clock.advance(0);
    expect(connection.closes).toBe(0);
  });

  it("is not there again because the server answers a ping, unless no write waits, or it takes all messages", async () => {
    const { transport, listener, stream } = setUpStream();
    await transport.publish([messageTo("a"), messageTo("b")]);
    expect(await transport.ping()).toBe(true);
    expect(listener.answered).not.toHaveBeenCalled();
    expect(await transport.ping(true)).toBe(true);
    expect(listener.answered).toHaveBeenCalledTimes(1);
    await transport.publish([messageTo("a"), messageTo("b")]);
    stream.isThere = true;
    await transport.publish([messageTo("a"), messageTo("b")]);
    expect(listener.answered).toHaveBeenCalledTimes(2);
    await transport.ping();
    expect(listener.answered).toHaveBeenCalledTimes(3);
  });
});

it("The use of a connection keeps it open, and rejects with what the work throws", async () => {
  const { clock, connection, transport } = setUp();
  const working = deferred<string>();
  const using = transport.use(() => working.promise);
  await clock.advance(10_000);
  expect(connection.closes).toBe(0);
  working.resolve("result");
  expect(await using).toBe("result");
  await clock.advance(0);
  expect(connection.closes).toBe(1);
  await expect(transport.use(() => Promise.reject(new Error("mistake")))).rejects.toThrow("mistake");
});
