import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FakeConnection, messageTo } from "../testing/fake-connection.ts";
import type { Connection } from "./connection.ts";
import { SharedConnection } from "./shared-connection.ts";
import { Publisher } from "./publisher.ts";

beforeEach(() => vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] }));
afterEach(() => vi.useRealTimers());

function setUp(dial?: () => Promise<Connection>, lingerMs = 0) {
  const connection = new FakeConnection();
  const health = {
    connected: vi.fn<() => void>(),
    unreachable: vi.fn<() => void>(),
    worked: vi.fn<() => void>(),
    broken: vi.fn<(error: Error) => void>(),
  };
  const sharedConnection = new SharedConnection(dial ?? (() => Promise.resolve(connection)), health, { timeoutMs: 2_000, lingerMs });
  return { connection, health, publisher: new Publisher(sharedConnection, health, 2_000) };
}

const CONFIRMED = { status: "confirmed" };

describe("publishing", () => {
  it("sends all messages in their order, with one flush, and closes the connection", async () => {
    const { connection, publisher, health } = setUp();
    const messages = ["a", "b", "c"].map((key) => messageTo(key));
    expect(await publisher.publish(messages)).toEqual([CONFIRMED, CONFIRMED, CONFIRMED]);
    expect(connection.published).toEqual(messages);
    expect(connection.roundTrips).toBe(1);
    expect(health.worked).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(0);
    expect(connection.closes).toBe(1);
  });

  it("tells which message was refused, and does not hold up the others", async () => {
    const { connection, publisher, health } = setUp();
    const denied = new Error("Permissions Violation");
    connection.refuses = ({ id }) => (id === "id-b" ? denied : undefined);
    expect(await publisher.publish(["a", "b", "c"].map((key) => messageTo(key)))).toEqual([
      CONFIRMED,
      { status: "rejected", error: denied },
      CONFIRMED,
    ]);
    expect(health.broken).not.toHaveBeenCalled();
  });

  it("takes a refusal that comes during the flush into account", async () => {
    const { connection, publisher } = setUp();
    const receipt: { refusal?: Error } = {};
    vi.spyOn(connection, "publish").mockReturnValue(receipt);
    connection.answer = async () => void (receipt.refusal = new Error("late"));
    expect(await publisher.publish([messageTo("a")])).toEqual([{ status: "rejected", error: new Error("late") }]);
  });

  it.each(["_kv.test.key.a b", "_kv.test.key.a\r\nPUB other 0\r\n", "_kv.test.key.*", "_kv.test.key.>", "_kv.test.key.", "$SYS.REQ", ""])(
    "never hands the subject %j to the client",
    async (subject) => {
      const { connection, publisher } = setUp();
      const deliveries = await publisher.publish([messageTo("a", { subject }), messageTo("b")]);
      expect(deliveries.map(({ status }) => status)).toEqual(["rejected", "confirmed"]);
      expect(connection.published.map(({ id }) => id)).toEqual(["id-b"]);
    },
  );

  it.each(["gone\r\nNats-Rollup: all-1", "a b-1", "ö-1", "\0-1"])("never hands the id %j to the client", async (id) => {
    const { connection, publisher } = setUp();
    const deliveries = await publisher.publish([messageTo("a", { id }), messageTo("b")]);
    expect(deliveries.map(({ status }) => status)).toEqual(["rejected", "confirmed"]);
    expect(connection.published.map(({ id: sent }) => sent)).toEqual(["id-b"]);
  });

  it("refuses what is larger than the server takes, headers included, and sends what just fits", async () => {
    const { connection, publisher } = setUp();
    const fits = messageTo("a", { data: new Uint8Array(100) });
    connection.maxPayloadBytes = 100 + `NATS/1.0\r\nNats-Msg-Id: ${fits.id}\r\n\r\n`.length;
    const deliveries = await publisher.publish([fits, messageTo("b", { data: new Uint8Array(101) })]);
    expect(deliveries[0]).toEqual(CONFIRMED);
    expect(deliveries[1]).toMatchObject({ status: "rejected", error: { message: expect.stringContaining("at most") as string } });
    expect(connection.published).toEqual([fits]);
  });
});

describe("a connection that does not do its work", () => {
  it("fails all messages when it is lost before the flush is answered, and is discarded", async () => {
    const { connection, publisher, health } = setUp();
    connection.answer = () => Promise.reject(new Error("lost"));
    expect(await publisher.publish([messageTo("a"), messageTo("b")])).toEqual([
      { status: "failed", error: new Error("lost") },
      { status: "failed", error: new Error("lost") },
    ]);
    expect(health.broken).toHaveBeenCalledExactlyOnceWith(new Error("lost"));
    await vi.advanceTimersByTimeAsync(0);
    expect(connection.closes).toBe(1);
  });

  it("is discarded however long it was to linger", async () => {
    const { connection, publisher } = setUp(undefined, 60_000);
    connection.answer = () => Promise.reject(new Error("lost"));
    await publisher.publish([messageTo("a")]);
    await vi.advanceTimersByTimeAsync(0);
    expect(connection.closes).toBe(1);
  });

  it("fails what it did not answer by the deadline", async () => {
    const { connection, publisher, health } = setUp();
    connection.answer = () => new Promise(() => undefined);
    const publishing = publisher.publish([messageTo("a")]);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(await publishing).toMatchObject([{ status: "failed", error: { message: "The server did not answer within 2000 ms." } }]);
    expect(health.broken).toHaveBeenCalledTimes(1);
    expect(connection.closes).toBe(1);
  });

  it("still tells what the server refused before it was lost", async () => {
    const { connection, publisher } = setUp();
    connection.refuses = ({ id }) => (id === "id-a" ? new Error("denied") : undefined);
    connection.answer = () => Promise.reject(new Error("lost"));
    expect((await publisher.publish([messageTo("a"), messageTo("b")])).map(({ status }) => status)).toEqual(["rejected", "failed"]);
  });

  it("that throws at a publish fails this and all further messages, though earlier ones may have arrived", async () => {
    const { connection, publisher } = setUp();
    vi.spyOn(connection, "publish").mockImplementation(({ id }) => {
      if (id === "id-b") throw new Error("CONNECTION_CLOSED");
      return {};
    });
    expect((await publisher.publish(["a", "b", "c"].map((key) => messageTo(key)))).map(({ status }) => status)).toEqual([
      "failed",
      "failed",
      "failed",
    ]);
    expect(connection.roundTrips).toBe(0);
  });

  it("is one that could not be opened: everything fails, once reported as unreachable", async () => {
    const { publisher, health } = setUp(() => Promise.reject(new Error("refused")));
    expect(await publisher.publish([messageTo("a")])).toEqual([{ status: "failed", error: new Error("refused") }]);
    expect(health.unreachable).toHaveBeenCalledTimes(1);
    expect(health.broken).not.toHaveBeenCalled();
  });
});

it("has connecting and flushing share one deadline", async () => {
  const connection = new FakeConnection();
  connection.answer = () => new Promise(() => undefined);
  const { publisher } = setUp(() => new Promise((resolve) => setTimeout(resolve, 1_500, connection)));
  let done = false;
  const publishing = publisher.publish([messageTo("a")]).then(() => (done = true));
  await vi.advanceTimersByTimeAsync(1_999);
  expect(done).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  await publishing;
});

it("a ping says whether a server answers", async () => {
  expect(await setUp().publisher.ping()).toBe(true);
  expect(await setUp(() => Promise.reject(new Error("refused"))).publisher.ping()).toBe(false);
  const silent = setUp();
  silent.connection.answer = () => new Promise(() => undefined);
  const pinging = silent.publisher.ping();
  await vi.advanceTimersByTimeAsync(2_000);
  expect(await pinging).toBe(false);
});
