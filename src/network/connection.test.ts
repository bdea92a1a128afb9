import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { caught } from "../testing/errors.ts";
import { deferred, messageTo } from "../testing/fake-connection.ts";
import { FakeSocket } from "../testing/fake-socket.ts";
import { dial, type Connection, type DialOptions } from "./connection.ts";

beforeEach(() => vi.stubGlobal("WebSocket", FakeSocket));
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  FakeSocket.all.length = 0;
});

/** A client as nats.ws and nats-core have it, as far as it is used. */
function fakeClient() {
  const statuses: object[] = [];
  let wake = deferred<void>();
  const closed = deferred<unknown>();
  const client = {
    info: { max_payload: 1000 } as { max_payload?: number } | undefined,
    publish: vi.fn<(subject: string, data: Uint8Array, options: { headers: { encode(): Uint8Array } }) => void>(),
    flush: vi.fn<() => Promise<void>>().mockResolvedValue(),
    close: vi.fn<() => Promise<void>>().mockResolvedValue(),
    closed: () => closed.promise,
    async *status(): AsyncGenerator<object> {
      for (;;) {
        for (let next = statuses.shift(); next !== undefined; next = statuses.shift()) yield next;
        await wake.promise;
        wake = deferred<void>();
      }
    },
  };
  const tell = (status: object): void => {
    statuses.push(status);
    wake.resolve();
  };
  return { client, tell, closed };
}

async function setUp(): Promise<
  ReturnType<typeof fakeClient> & { connection: Connection; connect: ReturnType<typeof vi.fn<(options: object) => Promise<unknown>>> }
> {
  const fake = fakeClient();
  const connect = vi.fn<(options: object) => Promise<unknown>>().mockResolvedValue(fake.client);
  return { ...fake, connect, connection: await dial(optionsWith(connect)) };
}

function optionsWith(connect: DialOptions["connect"], given: Partial<DialOptions> = {}): DialOptions {
  return { servers: ["ws://localhost:9222"], connection: {}, timeoutMs: 6_000, connect, ...given };
}

const subject = "_kv.test.key.a";

describe("dialling", () => {
  it("asks the client to connect once, without reconnecting of its own, with the user's credentials", async () => {
    const connect = vi.fn<(options: object) => Promise<unknown>>().mockResolvedValue(fakeClient().client);
    await dial(optionsWith(connect, { connection: { user: "ada", pass: "secret" }, servers: ["ws://a:1", "wss://b"] }));
    expect(connect).toHaveBeenCalledTimes(1);
    expect(connect.mock.calls[0]?.[0]).toMatchObject({
      user: "ada",
      pass: "secret",
      servers: ["ws://a:1", "wss://b"],
      reconnect: false,
      timeout: 6_000,
    });
  });

  it("that fails says what the client said", async () => {
    const refusal = new Error("'Authorization Violation'");
    expect(await caught(() => dial(optionsWith(() => Promise.reject(refusal))))).toBe(refusal);
  });

  it.each<[string, unknown]>([
    ["a NatsError without a message", Object.assign(new Error(""), { name: "NatsError", code: "UNKNOWN_ERROR" })],
    ["undefined", undefined],
    ["an Error without a message", new Error("")],
  ])("that fails with %s says which servers do not answer, without their credentials", async (_, thrown) => {
    const servers = ["ws://ada:secret@localhost:9222/?token=t", "wss://b.example"];
    const error = await caught(() => dial(optionsWith(() => Promise.reject(thrown), { servers })));
    expect(error).toBeInstanceOf(Error);
    expect((error as Error).message).toContain("No NATS server answers at localhost:9222, b.example");
    expect((error as Error).message).not.toMatch(/ada|secret|token/);
  });

  it("that fails closes the sockets it opened, one that hangs in its handshake too", async () => {
    const connect = async (options: object): Promise<unknown> => {
      const { wsFactory } = options as { wsFactory: (url: string, options: object) => Promise<unknown> };
      await wsFactory("ws://a", {});
      await wsFactory("ws://b", {});
      FakeSocket.all[0]?.open();
      throw new Error("timeout");
    };
    await caught(() => dial(optionsWith(connect)));
    expect(FakeSocket.all.map(({ closes }) => closes)).toEqual([1, 1]);
  });

  it("fails soon after the server has closed the last socket, though the client does not see that", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const connect = async (options: object): Promise<unknown> => {
      await (options as { wsFactory: (url: string, options: object) => Promise<unknown> }).wsFactory("ws://a", {});
      return new Promise(() => undefined);
    };
    const dialling = caught(() => dial(optionsWith(connect)));
    await vi.advanceTimersByTimeAsync(0);
    FakeSocket.all[0]?.dispatchEvent(new Event("close"));
    await vi.advanceTimersByTimeAsync(50);
    expect(await dialling).toEqual(new Error("The server closed the connection before it was established."));
  });

  it("is given up half a second after the client's own timeout, and a connection that opens later is closed", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const connecting = deferred<unknown>();
    let failed = false;
    const dialling = caught(() => dial(optionsWith(() => connecting.promise))).finally(() => (failed = true));
    await vi.advanceTimersByTimeAsync(6_499);
    expect(failed).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(await dialling).toEqual(new Error("No connection within 6500 ms."));
    const { client } = fakeClient();
    connecting.resolve(client);
    await vi.advanceTimersByTimeAsync(0);
    expect(client.close).toHaveBeenCalledTimes(1);
  });

  it("uses the user's socket factory where there is one", async () => {
    const wsFactory = vi.fn<() => Promise<unknown>>().mockResolvedValue({ socket: new FakeSocket("ws://x"), encrypted: true });
    const connect = async (options: object): Promise<unknown> => {
      const opened = await (options as { wsFactory: (url: string, options: object) => Promise<unknown> }).wsFactory("ws://a", {});
      expect(opened).toMatchObject({ encrypted: true });
      return fakeClient().client;
    };
    await dial(optionsWith(connect, { connection: { wsFactory } }));
    expect(wsFactory).toHaveBeenCalledTimes(1);
  });
});

describe("publishing", () => {
  it("hands over subject, data and the one header", async () => {
    const { connection, client } = await setUp();
    const message = messageTo("a");
    expect(connection.publish(message)).toEqual({});
    const [to, data, options] = client.publish.mock.calls[0] ?? [];
    expect([to, data]).toEqual([message.subject, message.data]);
    expect(new TextDecoder().decode(options?.headers.encode())).toBe("NATS/1.0\r\nNats-Msg-Id: id-a\r\n\r\n");
  });

  it("knows what the server takes at most, as it says at the time", async () => {
    const { connection, client } = await setUp();
    expect(connection.maxPayloadBytes).toBe(1000);
    client.info = undefined;
    expect(connection.maxPayloadBytes).toBe(Infinity);
  });
});

describe("a refusal", () => {
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
  ])("as %s words it is told with the message it is about, and with no other", async (_, status) => {
    const { connection, tell } = await setUp();
    const receipts = ["a", "b"].map((key) => connection.publish(messageTo(key)));
    tell(status("_kv.test.key.b"));
    await connection.roundTrip();
    expect(receipts[0]).toEqual({});
    expect(receipts[1]?.refusal?.message).toContain('Permissions Violation for Publish to "_kv.test.key.b"');
  });

  it("that surfaces a macrotask after the PONG is still seen", async () => {
    const { connection, client, tell } = await setUp();
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
  ])("finds the subject that the server quotes as Go does: %s", async (_, quoted) => {
    const { connection, tell } = await setUp();
    const plain = quoted.replaceAll(
      /\\u([0-9a-f]{4})|\\U([0-9a-f]{8})|\\(["\\])/g,
      (__, u?: string, U?: string, character?: string) => character ?? String.fromCodePoint(Number.parseInt(u ?? U ?? "", 16)),
    );
    const receipt = connection.publish(messageTo("", { subject: plain }));
    tell(natsWs(quoted));
    await connection.roundTrip();
    expect(receipt.refusal).toBeInstanceOf(Error);
  });

  it("is of every message under way to that subject", async () => {
    const { connection, tell } = await setUp();
    const receipts = [1, 2].map(() => connection.publish(messageTo("a")));
    tell(natsWs(subject));
    await connection.roundTrip();
    expect(receipts.every(({ refusal }) => refusal !== undefined)).toBe(true);
  });

  it("is not of a message that the server has read before", async () => {
    const { connection, tell } = await setUp();
    const earlier = connection.publish(messageTo("a"));
    await connection.roundTrip();
    const later = connection.publish(messageTo("a"));
    tell(natsWs(subject));
    await connection.roundTrip();
    expect([earlier.refusal, later.refusal !== undefined]).toEqual([undefined, true]);
  });

  it.each<[string, object]>([
    ["of a subscription", { type: "error", permissionContext: { operation: "subscription", subject } }],
    ["of no subject", { type: "error", data: "AUTHENTICATION_EXPIRED" }],
    ["that is only a warning", { type: "update", permissionContext: { operation: "publish", subject } }],
  ])("%s is none of a message", async (_, status) => {
    const { connection, tell } = await setUp();
    const receipt = connection.publish(messageTo("a"));
    tell(status);
    await connection.roundTrip();
    expect(receipt).toEqual({});
  });
});

describe("a connection that is closed during the flush", () => {
  it("fails the round trip, though nats.ws' flush never settles", async () => {
    const { connection, client, closed } = await setUp();
    client.flush.mockReturnValue(new Promise(() => undefined));
    const trip = caught(() => connection.roundTrip());
    closed.resolve(undefined);
    expect(await trip).toEqual(new Error("The connection to the server was lost."));
  });

  it("says why, where the client knows", async () => {
    const { connection, client, closed } = await setUp();
    client.flush.mockReturnValue(new Promise(() => undefined));
    const trip = caught(() => connection.roundTrip());
    closed.resolve(new Error("USER AUTHENTICATION EXPIRED"));
    expect(await trip).toEqual(new Error("USER AUTHENTICATION EXPIRED"));
  });
});

describe("ending", () => {
  it("is told when the connection is gone", async () => {
    const { connection, closed } = await setUp();
    closed.resolve(undefined);
    expect(await connection.ending).toBeUndefined();
  });

  it("is told when the server asks to leave", async () => {
    const { connection, tell } = await setUp();
    tell({ type: "ldm" });
    expect(await connection.ending).toBeUndefined();
  });
});

describe("closing", () => {
  it("closes the client, then its socket", async () => {
    const { connection, client } = await setUp();
    await connection.close();
    expect(client.close).toHaveBeenCalledTimes(1);
  });

  it("takes a second at most, whatever the client waits for", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const { connection, client } = await setUp();
    client.close.mockReturnValue(new Promise(() => undefined));
    let done = false;
    const closing = connection.close().then(() => (done = true));
    await vi.advanceTimersByTimeAsync(999);
    expect(done).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    await closing;
  });

  it("never rejects", async () => {
    const { connection, client } = await setUp();
    client.close.mockRejectedValue(new Error("already closed"));
    await expect(connection.close()).resolves.toBeUndefined();
  });
});
