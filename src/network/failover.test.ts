import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { caught } from "../testing/errors.ts";
import { FakeClock } from "../testing/fake-clock.ts";
import { fakeClient } from "../testing/fake-client.ts";
import { deferred, messageTo } from "../testing/fake-connection.ts";
import { FakeSocket } from "../testing/fake-socket.ts";
import type { Connection } from "./connection.ts";
import { Failover, type FailoverOptions } from "./failover.ts";
import { NatsTransport } from "./nats-transport.ts";

beforeEach(() => vi.stubGlobal("WebSocket", FakeSocket));
afterEach(() => {
  vi.unstubAllGlobals();
  FakeSocket.all.length = 0;
});

interface ClientOptions {
  servers: [string];
  timeout: number;
  wsFactory: (url: string, options: object) => Promise<{ socket: FakeSocket }>;
}

type Behaviour = (options: ClientOptions) => Promise<unknown>;

const answers: Behaviour = async () => fakeClient().client;
const refuses: Behaviour = () => Promise.reject(new Error("'Authorization Violation'"));
const hangs: Behaviour = async ({ servers: [url], wsFactory }) => {
  await wsFactory(url, {});
  return new Promise(() => undefined);
};
/** Closes the socket before it sends INFO. */
const closesEarly: Behaviour = async ({ servers: [url], wsFactory }) => {
  const { socket } = await wsFactory(url, {});
  socket.dispatchEvent(new Event("close"));
  return new Promise(() => undefined);
};

const url = (name: string): string => `ws://${name}:1`;

function setUp(behaviours: Record<string, Behaviour>, given: Partial<FailoverOptions> = {}) {
  const clock = new FakeClock();
  /** The names of the servers of all attempts, and the moments when they began. */
  const tried: string[] = [];
  const connect = vi.fn<(options: object) => Promise<unknown>>(async (options) => {
    const name = new URL((options as ClientOptions).servers[0]).hostname;
    tried.push(`${name} ${clock.monotonic()}`);
    return (behaviours[name] as Behaviour)(options as ClientOptions);
  });
  const servers = Object.keys(behaviours).map(url);
  const failover = new Failover({ clock, servers, connection: {}, connect, timeoutMs: 2_000, backgroundMs: 6_000, ...given });
  /** The names of the servers that one operation has tried. */
  const names = (): string[] => tried.splice(0).map((attempt) => attempt.split(" ")[0] as string);
  const open = (): Promise<Connection> => failover.open(() => false);
  return { clock, behaviours, connect, failover, names, open, tried };
}

describe("A list of servers", () => {
  it("is tried one server at a time: each attempt gets one of the client's servers", async () => {
    const { connect, names, open } = setUp({ a: refuses, b: answers, c: answers });
    await open();
    expect(names()).toEqual(["a", "b"]);
    expect(connect.mock.calls[0]?.[0]).toMatchObject({ servers: ["ws://a:1"], reconnect: false });
  });

  it("that hangs gets equal shares of timeoutMs, and leaves one share for the flush", async () => {
    const { clock, open, tried } = setUp({ a: hangs, b: hangs, c: answers });
    const opening = open();
    await clock.advance(1_000);
    await opening;
    expect(tried).toEqual(["a 0", "b 500", "c 1000"]);
  });

  it("shares out the time that a server leaves which refuses at once", async () => {
    const { clock, open, tried } = setUp({ a: refuses, b: hangs, c: answers });
    const opening = open();
    await clock.advance(666);
    await opening;
    expect(tried).toEqual(["a 0", "b 0", "c 666"]);
  });

  it("confirms a write within timeoutMs, though its first two servers accept the connection and never answer", async () => {
    const { clock, failover } = setUp({ a: hangs, b: hangs, c: answers });
    const listener = {
      connected: vi.fn<() => void>(),
      answered: vi.fn<() => void>(),
      unreachable: vi.fn<(error: Error) => void>(),
      broken: vi.fn<(error: Error) => void>(),
    };
    const transport = new NatsTransport(failover.open, listener, { clock, timeoutMs: 2_000, lingerMs: 0 });
    const publishing = transport.publish([messageTo("a")]);
    await clock.advance(1_999);
    expect(await publishing).toEqual([{ status: "confirmed" }]);
    expect(listener.unreachable).not.toHaveBeenCalled();
  });

  it("has never two attempts under way: the sockets of an attempt are closed before the next one begins", async () => {
    const closes: number[] = [];
    const { clock, open } = setUp({
      a: hangs,
      b: (options) => {
        closes.push(...FakeSocket.all.map((socket) => socket.closes));
        return answers(options);
      },
    });
    const opening = open();
    await clock.advance(666);
    await opening;
    expect(closes).toEqual([1]);
  });

  it("goes on to the next server when one closes the connection before INFO", async () => {
    const { clock, names, open } = setUp({ a: closesEarly, b: answers });
    const opening = open();
    await clock.advance(50);
    await opening;
    expect(names()).toEqual(["a", "b"]);
  });

  it("closes a connection that opens after its share", async () => {
    const connecting = deferred<unknown>();
    const { clock, open } = setUp({ a: () => connecting.promise, b: answers });
    const opening = open();
    await clock.advance(666);
    await opening;
    const { client } = fakeClient();
    connecting.resolve(client);
    await clock.advance(0);
    expect(client.close).toHaveBeenCalledTimes(1);
  });

  it("has each server once", async () => {
    const { names, open } = setUp({ a: refuses }, { servers: [url("a"), url("a")] });
    expect(await caught(open)).toEqual(new Error("'Authorization Violation'"));
    expect(names()).toEqual(["a"]);
  });
});

describe("The order of the servers", () => {
  it("begins with the server that answered last: a dead server costs one operation an attempt, not each", async () => {
    const { names, open } = setUp({ a: refuses, b: refuses, c: answers });
    await open();
    expect(names()).toEqual(["a", "b", "c"]);
    await open();
    expect(names()).toEqual(["c"]);
  });

  it("ends with the servers that failed last", async () => {
    const { behaviours, names, open } = setUp({ a: refuses, b: answers, c: answers });
    await open();
    names();
    behaviours.b = refuses;
    await open();
    expect(names()).toEqual(["b", "c"]);
    behaviours.c = refuses;
    behaviours.b = answers;
    await open();
    expect(names()).toEqual(["c", "a", "b"]);
  });

  it.each<[string, (client: ReturnType<typeof fakeClient>, connection: Connection) => unknown]>([
    ["that asks its clients to leave", ({ tell }) => tell({ type: "ldm" })],
    ["whose connection is lost", ({ closed }) => closed.resolve(undefined)],
    ["that did not answer a flush", (_, connection) => connection.close(true)],
  ])("ends with a server %s", async (_, happens) => {
    const fake = fakeClient();
    const { clock, names, open } = setUp({ a: async () => fake.client, b: answers });
    const connection = await open();
    happens(fake, connection);
    await clock.advance(0);
    names();
    await open();
    expect(names()).toEqual(["b"]);
  });

  it("ends with a server whose first INFO says that it leaves", async () => {
    const fake = fakeClient();
    fake.client.info = { ldm: true };
    const { clock, names, open } = setUp({ a: async () => fake.client, b: answers });
    await (
      await open()
    ).ending;
    await clock.advance(0);
    names();
    await open();
    expect(names()).toEqual(["b"]);
  });

  it("stays as it is when a connection is closed that is not needed any more", async () => {
    const fake = fakeClient();
    const { clock, names, open } = setUp({ a: async () => fake.client, b: answers });
    await (await open()).close();
    fake.closed.resolve(undefined);
    await clock.advance(0);
    names();
    await open();
    expect(names()).toEqual(["a"]);
  });

  it("is random at the start, so that browsers spread over the servers", async () => {
    const clock = new FakeClock();
    const chances = [0.7, 0.9, 0.1];
    clock.random = () => chances.shift() as number;
    const { names, open } = setUp({ a: refuses, b: answers, c: refuses }, { clock });
    await open();
    expect(names()).toEqual(["c", "a", "b"]);
  });

  it("is that of the list at the start if `connection` has noRandomize", async () => {
    const clock = new FakeClock();
    const random = vi.spyOn(clock, "random");
    const { names, open } = setUp({ a: refuses, b: answers }, { clock, connection: { noRandomize: true } });
    await open();
    expect(names()).toEqual(["a", "b"]);
    expect(random).not.toHaveBeenCalled();
  });
});

describe("When no server of a list answers,", () => {
  it("the error names the servers and the last failure, without credentials", async () => {
    const servers = ["ws://ada:secret@a:1/?token=t", "wss://b"];
    const { failover, open } = setUp({ a: refuses, b: () => Promise.reject(new Error("")) }, { servers });
    const error = (await caught(open)) as Error;
    expect(error.message).toBe("No NATS server answers at a:1, b. The last failure: No NATS server answers at b.");
    expect(`${error.message} ${(error.cause as Error).message} ${failover.hosts}`).not.toMatch(/ada|secret|token/);
  });

  it("no server that refused at once is tried again", async () => {
    const { names, open } = setUp({ a: refuses, b: refuses });
    const error = (await caught(open)) as Error;
    expect(error.message).toContain("The last failure: 'Authorization Violation'");
    expect(names()).toEqual(["a", "b"]);
  });

  it("the first one that used up its share gets the time of one server, in the background", async () => {
    const { clock, open, tried } = setUp({ a: refuses, b: hangs, c: hangs });
    const failing = caught(open);
    await clock.advance(8_000);
    expect(((await failing) as Error).message).toContain("No connection within 6000 ms.");
    expect(tried).toEqual(["a 0", "b 0", "c 666", "b 1333"]);
  });

  it("another one gets that time at the next operation", async () => {
    const { clock, names, open } = setUp({ a: hangs, b: hangs });
    for (const expected of [
      ["a", "b", "a"],
      ["b", "a", "b"],
    ]) {
      const failing = caught(open);
      await clock.advance(8_000);
      await failing;
      expect(names()).toEqual(expected);
    }
  });

  it("a server that is too slow for its share still opens a connection", async () => {
    const connected = deferred<unknown>();
    const { clock, open, tried } = setUp({
      a: () => (tried.length === 1 ? new Promise(() => undefined) : connected.promise),
      b: hangs,
    });
    const opening = open();
    await clock.advance(5_000);
    connected.resolve(fakeClient().client);
    await clock.advance(0);
    await opening;
    expect(tried).toEqual(["a 0", "b 666", "a 1333"]);
  });

  it("no further attempt begins once the store is closed", async () => {
    const { clock, failover, names } = setUp({ a: hangs, b: answers });
    let isClosed = false;
    const failing = caught(() => failover.open(() => isClosed));
    isClosed = true;
    await clock.advance(10_000);
    expect(await failing).toBeInstanceOf(Error);
    expect(names()).toEqual(["a"]);
  });
});

it("One server gets all of the time for an attempt in the background, and its error is passed on", async () => {
  const { clock, failover, open, tried } = setUp({ a: hangs });
  const failing = caught(open);
  await clock.advance(6_000);
  expect(await failing).toEqual(new Error("No connection within 6000 ms."));
  expect(tried).toEqual(["a 0"]);
  expect(failover.hosts).toBeUndefined();
});

it("A list makes one long attempt if the client took all of timeoutMs to load", async () => {
  const { open, tried } = setUp({ a: answers, b: answers }, { timeoutMs: 1 });
  await open();
  expect(tried).toEqual(["a 0"]);
});
