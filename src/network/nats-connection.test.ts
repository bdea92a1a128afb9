import { describe, expect, it, vi } from "vitest";
import { caught } from "../testing/errors.ts";
import { FakeClock } from "../testing/fake-clock.ts";
import { messageTo } from "../testing/fake-connection.ts";
import { fakeClient } from "../testing/fake-client.ts";
import { NatsConnection } from "./nats-connection.ts";

function setUp() {
  const clock = new FakeClock();
  const fake = fakeClient();
  const onFailing = vi.fn<() => void>();
  return { ...fake, clock, onFailing, connection: new NatsConnection(clock, fake.client, () => undefined, onFailing) };
}

const subject = "_kv.test.key.a";

describe("A connection", () => {
  it("publishes subject, data and one header", async () => {
    const { connection, client } = setUp();
    const message = messageTo("a");
    expect(connection.publish(message)).toEqual({});
    const [to, data, options] = client.publish.mock.calls[0] ?? [];
    expect(to).toBe(message.subject);
    expect(data).toEqual(message.data);
    expect(new TextDecoder().decode(options?.headers.encode())).toBe("NATS/1.0\r\nNats-Msg-Id: id-a\r\n\r\n");
  });

  it("reports the largest message that the server accepts, as its latest INFO says", async () => {
    const { connection, client } = setUp();
    expect(connection.maxPayloadBytes).toBe(1000);
    client.info = undefined;
    expect(connection.maxPayloadBytes).toBe(Infinity);
  });
});

describe("A refusal", () => {
  const natsWs = (refused: string): object => ({
    type: "error",
    data: "PERMISSIONS_VIOLATION",
    permissionContext: { operation: "publish", subject: refused },
  });
  const natsCore = (refused: string): object => ({
    type: "error",
    error: Object.assign(new Error(`Permissions Violation for Publish to "${refused}"`), { operation: "publish", subject: refused }),
  });

  it.each<[string, (refused: string) => object]>([
    ["nats.ws", natsWs],
    ["nats-core", natsCore],
  ])("in the wording of %s is found in the receipt of its message, and in no other", async (_, status) => {
    const { connection, tell } = setUp();
    const receipts = ["a", "b"].map((key) => connection.publish(messageTo(key)));
    tell(status("_kv.test.key.b"));
    await connection.roundTrip();
    expect(receipts[0]).toEqual({});
    expect(receipts[1]?.refusal?.message).toContain('Permissions Violation for Publish to "_kv.test.key.b"');
  });

  it("that surfaces a macrotask after the PONG is found in the receipt", async () => {
    const { connection, client, tell } = setUp();
    const receipt = connection.publish(messageTo("a"));
    client.flush.mockImplementation(async () => {
      queueMicrotask(() => queueMicrotask(() => tell(natsWs(subject))));
    });
    await connection.roundTrip();
    expect(receipt.refusal).toBeInstanceOf(Error);
  });

  it.each<[string, string]>([
    ["a quotation mark", String.raw`_kv.test.key.\"`],
    ["a backslash", String.raw`_kv.test.key.\\`],
    ["an unprintable character of the basic plane", String.raw`_kv.test.key.\u200d`],
    ["one beyond it, as in the flag of England", String.raw`_kv.test.key.\U000e0067\U000e007f`],
    ["all of them", String.raw`_kv.test.key.\"\\x41\u200b\U000e0001z`],
  ])("finds its message by a subject that the server quotes as Go does: %s", async (_, quoted) => {
    const { connection, tell } = setUp();
    const plain = quoted.replaceAll(
      /\\u([0-9a-f]{4})|\\U([0-9a-f]{8})|\\(["\\])/g,
      (__, u?: string, U?: string, character?: string) => character ?? String.fromCodePoint(Number.parseInt(u ?? U ?? "", 16)),
    );
    const receipt = connection.publish(messageTo("", { subject: plain }));
    tell(natsWs(quoted));
    await connection.roundTrip();
    expect(receipt.refusal).toBeInstanceOf(Error);
  });

  it("concerns every message in flight with that subject", async () => {
    const { connection, tell } = setUp();
    const receipts = [1, 2].map(() => connection.publish(messageTo("a")));
    tell(natsWs(subject));
    await connection.roundTrip();
    expect(receipts.every(({ refusal }) => refusal !== undefined)).toBe(true);
  });

  it("does not concern a message that the server has read before", async () => {
    const { connection, tell } = setUp();
    const earlier = connection.publish(messageTo("a"));
    await connection.roundTrip();
    const later = connection.publish(messageTo("a"));
    tell(natsWs(subject));
    await connection.roundTrip();
    expect(earlier.refusal).toBeUndefined();
    expect(later.refusal).toBeInstanceOf(Error);
  });

  it.each<[string, object]>([
    ["of a subscription", { type: "error", permissionContext: { operation: "subscription", subject } }],
    ["of no subject", { type: "error", data: "AUTHENTICATION_EXPIRED" }],
    ["that is only a warning", { type: "update", permissionContext: { operation: "publish", subject } }],
  ])("%s concerns no message", async (_, status) => {
    const { connection, tell } = setUp();
    const receipt = connection.publish(messageTo("a"));
    tell(status);
    await connection.roundTrip();
    expect(receipt).toEqual({});
  });
});

describe("A connection that is closed during the flush", () => {
  it("rejects the round trip, though the flush of nats.ws never settles", async () => {
    const { connection, client, closed } = setUp();
    client.flush.mockReturnValue(new Promise(() => undefined));
    const trip = caught(() => connection.roundTrip());
    closed.resolve(undefined);
    expect(await trip).toEqual(new Error("The connection to the server was lost."));
  });

  it("rejects the round trip with the client's reason if there is one", async () => {
    const { connection, client, closed } = setUp();
    client.flush.mockReturnValue(new Promise(() => undefined));
    const trip = caught(() => connection.roundTrip());
    closed.resolve(new Error("USER AUTHENTICATION EXPIRED"));
    expect(await trip).toEqual(new Error("USER AUTHENTICATION EXPIRED"));
  });
});

describe("The promise `ending`", () => {
  it("resolves when the connection is closed", async () => {
    const { connection, closed } = setUp();
    closed.resolve(undefined);
    expect(await connection.ending).toBeUndefined();
  });

  it("resolves when the server asks to leave", async () => {
    const { connection, tell } = setUp();
    tell({ type: "ldm" });
    expect(await connection.ending).toBeUndefined();
  });
});

describe("A connection is reported as failing", () => {
  it("when the server asks to leave, before `ending` resolves", async () => {
    const { connection, onFailing, tell } = setUp();
    tell({ type: "ldm" });
    await connection.ending;
    expect(onFailing).toHaveBeenCalledTimes(1);
  });

  it("when it is lost", async () => {
    const { closed, connection, onFailing } = setUp();
    closed.resolve(undefined);
    await connection.ending;
    expect(onFailing).toHaveBeenCalledTimes(1);
  });

  it.each([
    [true, 1],
    [false, 0],
  ])("when it is closed because it is broken (%s)", async (isBroken, times) => {
    const { closed, connection, onFailing } = setUp();
    await connection.close(isBroken);
    closed.resolve(undefined);
    await connection.ending;
    expect(onFailing).toHaveBeenCalledTimes(times);
  });
});

describe("Closing a connection", () => {
  it("closes the client", async () => {
    const { connection, client } = setUp();
    await connection.close();
    expect(client.close).toHaveBeenCalledTimes(1);
  });

  it("takes one second at most, however long the client takes", async () => {
    const { clock, connection, client } = setUp();
    client.close.mockReturnValue(new Promise(() => undefined));
    let done = false;
    const closing = connection.close().then(() => (done = true));
    await clock.advance(999);
    expect(done).toBe(false);
    await clock.advance(1);
    await closing;
  });

  it("never rejects", async () => {
    const { connection, client } = setUp();
    client.close.mockRejectedValue(new Error("already closed"));
    await expect(connection.close()).resolves.toBeUndefined();
  });
});
