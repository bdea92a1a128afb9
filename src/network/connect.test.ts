import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { caught } from "../testing/errors.ts";
import { FakeClock } from "../testing/fake-clock.ts";
import { deferred } from "../testing/fake-connection.ts";
import { fakeClient } from "../testing/fake-client.ts";
import { FakeSocket } from "../testing/fake-socket.ts";
import { connectToNats, OutOfTimeError, type ConnectOptions } from "./connect.ts";

let clock: FakeClock;
beforeEach(() => {
  clock = new FakeClock();
  vi.stubGlobal("WebSocket", FakeSocket);
});
afterEach(() => {
  vi.unstubAllGlobals();
  FakeSocket.all.length = 0;
});

function optionsWith(connect: ConnectOptions["connect"], given: Partial<ConnectOptions> = {}): ConnectOptions {
  return { clock, server: "ws://localhost:9222", connection: {}, timeoutMs: 6_000, connect, onFailing: () => undefined, ...given };
}

describe("An attempt to connect", () => {
  it("asks the client to connect once, without reconnecting of its own, with the user's credentials", async () => {
    const connect = vi.fn<(options: object) => Promise<unknown>>().mockResolvedValue(fakeClient().client);
    await connectToNats(optionsWith(connect, { connection: { user: "ada", pass: "secret" }, server: "wss://b" }));
    expect(connect).toHaveBeenCalledTimes(1);
    expect(connect.mock.calls[0]?.[0]).toMatchObject({
      user: "ada",
      pass: "secret",
      servers: ["wss://b"],
      reconnect: false,
      timeout: 6_000,
    });
  });

  it("rejects with the client's error", async () => {
    const refusal = new Error("'Authorization Violation'");
    expect(await caught(() => connectToNats(optionsWith(() => Promise.reject(refusal))))).toBe(refusal);
  });

  it.each<[string, unknown]>([
    ["a NatsError without a message", Object.assign(new Error(""), { name: "NatsError", code: "UNKNOWN_ERROR" })],
    ["undefined", undefined],
    ["an Error without a message", new Error("")],
  ])("that fails with %s names the server in its error, without its credentials", async (_, thrown) => {
    const server = "ws://ada:secret@localhost:9222/?token=t";
    const error = await caught(() => connectToNats(optionsWith(() => Promise.reject(thrown), { server })));
    expect(error).toBeInstanceOf(Error);
    expect((error as Error).message).toContain("No NATS server answers at localhost:9222.");
    expect((error as Error).message).not.toMatch(/ada|secret|token/);
  });

  it("that fails closes all its sockets, also one whose handshake is under way", async () => {
    const connect = async (options: object): Promise<unknown> => {
      const { wsFactory } = options as { wsFactory: (url: string, options: object) => Promise<unknown> };
      await wsFactory("ws://a", {});
      await wsFactory("ws://b", {});
      FakeSocket.all[0]?.open();
      throw new Error("timeout");
    };
    await caught(() => connectToNats(optionsWith(connect)));
    expect(FakeSocket.all.map(({ closes }) => closes)).toEqual([1, 1]);
  });

  it("fails 50 ms after the server has closed the last socket, though the client does not notice that", async () => {
    const connect = async (options: object): Promise<unknown> => {
      await (options as { wsFactory: (url: string, options: object) => Promise<unknown> }).wsFactory("ws://a", {});
      return new Promise(() => undefined);
    };
    const dialling = caught(() => connectToNats(optionsWith(connect)));
    await clock.advance(0);
    FakeSocket.all[0]?.dispatchEvent(new Event("close"));
    await clock.advance(50);
    expect(await dialling).toEqual(new Error("The server closed the connection before it was established."));
  });

  it("is given up at its limit, and a connection that opens later is closed", async () => {
    const connecting = deferred<unknown>();
    let failed = false;
    const dialling = caught(() => connectToNats(optionsWith(() => connecting.promise))).finally(() => (failed = true));
    await clock.advance(5_999);
    expect(failed).toBe(false);
    await clock.advance(1);
    expect(await dialling).toEqual(new OutOfTimeError("No connection within 6000 ms."));
    const { client } = fakeClient();
    connecting.resolve(client);
    await clock.advance(0);
    expect(client.close).toHaveBeenCalledTimes(1);
  });

  it("uses the user's socket factory if there is one", async () => {
    const wsFactory = vi.fn<() => Promise<unknown>>().mockResolvedValue({ socket: new FakeSocket("ws://x"), encrypted: true });
    const connect = async (options: object): Promise<unknown> => {
      const opened = await (options as { wsFactory: (url: string, options: object) => Promise<unknown> }).wsFactory("ws://a", {});
      expect(opened).toMatchObject({ encrypted: true });
      return fakeClient().client;
    };
    await connectToNats(optionsWith(connect, { connection: { wsFactory } }));
    expect(wsFactory).toHaveBeenCalledTimes(1);
  });

  it("that is over opens no socket any more", async () => {
    const token = deferred<void>();
    const opening = vi.fn<() => Promise<unknown>>();
    const connect = async (options: object): Promise<unknown> => {
      await token.promise;
      opening.mockImplementation(() =>
        (options as { wsFactory: (url: string, options: object) => Promise<unknown> }).wsFactory("ws://a", {}),
      );
      return opening();
    };
    const dialling = caught(() => connectToNats(optionsWith(connect)));
    await clock.advance(6_000);
    await dialling;
    token.resolve();
    await clock.advance(0);
    expect(await caught(() => opening.mock.results[0]?.value as Promise<unknown>)).toEqual(new Error("This attempt to connect is over."));
    expect(FakeSocket.all).toEqual([]);
  });

  it("that ends while the user's socket factory is at work closes the socket that it makes", async () => {
    const made = deferred<unknown>();
    const connect = (options: object): Promise<unknown> =>
      (options as { wsFactory: (url: string, options: object) => Promise<unknown> })
        .wsFactory("ws://a", {})
        .then(() => new Promise(() => undefined));
    const dialling = caught(() => connectToNats(optionsWith(connect, { connection: { wsFactory: () => made.promise } })));
    await clock.advance(6_000);
    await dialling;
    const socket = new FakeSocket("ws://a");
    made.resolve({ socket, encrypted: false });
    await clock.advance(0);
    expect(socket.closes).toBe(1);
  });
});
