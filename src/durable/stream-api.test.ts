import { describe, expect, it } from "vitest";
import { NatsConnection } from "../network/nats-connection.ts";
import type { NatsClient } from "../network/nats-client.ts";
import { checkedOptionsOf } from "../options/checked-options.ts";
import { settingsOf } from "../options/defaults.ts";
import type { DurableOptions } from "../options/types.ts";
import { caught, errorOf } from "../testing/errors.ts";
import { FakeClock } from "../testing/fake-clock.ts";
import { FakeNats } from "../testing/fake-nats.ts";
import { FakeStream } from "../testing/fake-stream.ts";
import { StreamApi } from "./stream-api.ts";

async function setUp(durable: true | DurableOptions = true) {
  const clock = new FakeClock();
  const nats = new FakeNats();
  nats.stream = new FakeStream();
  const connection = new NatsConnection(
    clock,
    (await nats.connect()) as NatsClient,
    () => undefined,
    () => undefined,
  );
  const { durable: settings, ...rest } = settingsOf(checkedOptionsOf({ namespace: "test", timeoutMs: 1_000, durable }));
  if (settings === undefined) throw new Error("durable mode is off");
  const transport = { use: <T>(work: (with_: typeof connection) => Promise<T>) => work(connection) };
  const api = new StreamApi({ clock, transport, settings: { ...rest, durable: settings } });
  return { clock, nats, stream: nats.stream, connection, api };
}

describe("A request", () => {
  it("that nobody answers rejects STREAM_UNAVAILABLE", async () => {
    const { api, nats } = await setUp();
    nats.stream = undefined;
    expect((await errorOf(() => api.use((requests) => requests.request("$JS.API.INFO")))).code).toBe("STREAM_UNAVAILABLE");
  });

  it("that JetStream refuses rejects with its code", async () => {
    const { api, stream } = await setUp();
    stream.api = () => ({ error: { code: 404, err_code: 10037, description: "no message found" } });
    const error = await caught(() => api.use((requests) => requests.request("$JS.API.STREAM.MSG.GET.NAS_test", {})));
    expect(error).toMatchObject({ name: "StreamRequestError", code: 404, errorCode: 10037, isTemporary: false });
  });

  it("without permission rejects STREAM_UNAVAILABLE, though no reply follows", async () => {
    const { api, nats } = await setUp();
    nats.denies = () => true;
    const error = await errorOf(() => api.use((requests) => requests.request("$JS.API.INFO")));
    expect(error).toMatchObject({ code: "STREAM_UNAVAILABLE", message: expect.stringContaining("Permissions Violation") as string });
  });

  it("on a connection that is lost rejects STREAM_UNAVAILABLE", async () => {
    const { api, nats } = await setUp();
    nats.isSilent = () => true;
    const requesting = caught(() => api.use((requests) => requests.request("$JS.API.INFO")));
    await new Promise(setImmediate);
    nats.cut();
    expect(await requesting).toMatchObject({ code: "STREAM_UNAVAILABLE" });
    expect(await errorOf(() => api.use((requests) => requests.request("$JS.API.INFO")))).toMatchObject({ code: "STREAM_UNAVAILABLE" });
  });

  it("that is not answered in time rejects, and leaves the connection open where the server answers", async () => {
    const { api, clock, nats, connection } = await setUp();
    nats.isSilent = () => true;
    const requesting = caught(() => api.use((requests) => requests.request("$JS.API.INFO")));
    await connection.roundTrip();
    await clock.advance(1_000);
    expect(await requesting).toMatchObject({ code: "STREAM_UNAVAILABLE" });
    expect(nats.open).toBe(1);
  });

  it("that is not answered in time closes a connection that does not work", async () => {
    const { api, clock, nats } = await setUp();
    nats.hold();
    const requesting = caught(() => api.use((requests) => requests.request("$JS.API.INFO")));
    await clock.advance(1_000);
    expect(await requesting).toMatchObject({ code: "STREAM_UNAVAILABLE" });
    await nats.closed();
  });

  it("rejects with the reason of its signal once that is aborted", async () => {
    const { api, nats } = await setUp();
    nats.isSilent = () => true;
    const abort = new AbortController();
    const { signal } = abort;
    const requesting = caught(() => api.use((requests) => requests.collect("$JS.API.INFO", undefined, () => true, { signal })));
    abort.abort("enough");
    expect(await requesting).toBe("enough");
    expect(await caught(() => api.use((requests) => requests.collect("$JS.API.INFO", undefined, () => true, { signal })))).toBe("enough");
  });

  it("rejects with what the receiver of its replies throws", async () => {
    const { api, stream } = await setUp();
    stream.api = () => ({});
    const mistake = new TypeError("a mistake");
    const throwing = (): never => {
      throw mistake;
    };
    expect(await caught(() => api.use((requests) => requests.collect("$JS.API.INFO", undefined, throwing)))).toBe(mistake);
  });
});

it("The time for a reply begins again with each reply", async () => {
  const { api, clock, connection } = await setUp();
  const inboxes: string[] = [];
  const replies: ((reply: object) => void)[] = [];
  connection.replies.expect = ({ onReply }) => {
    replies.push((reply) => onReply(reply as never));
    inboxes.push("open");
    return { subject: "_INBOX.1.1", end: () => void inboxes.pop() };
  };
  let received = 0;
  const collecting = caught(() => api.use((requests) => requests.collect("$JS.API.X", {}, () => ++received === 3)));
  await connection.roundTrip();
  const reply = { status: 0, data: new Uint8Array() };
  await clock.advance(900);
  replies[0]?.(reply);
  await clock.advance(900);
  replies[0]?.(reply);
  await clock.advance(999);
  expect({ received, open: inboxes.length }).toEqual({ received: 2, open: 1 });
  await clock.advance(1);
  expect(await collecting).toMatchObject({ code: "STREAM_UNAVAILABLE" });
  expect(inboxes).toEqual([]);
});

describe("The stream of a namespace", () => {
  it("is the one of the default name", async () => {
    const { api } = await setUp();
    expect((await api.use((requests) => api.findStream(requests))).config.name).toBe("NAS_test");
  });

  it("is one that has the subjects of the namespace, where none has the default name", async () => {
    const { api, nats } = await setUp();
    nats.stream = new FakeStream("OTHER");
    expect((await api.use((requests) => api.findStream(requests))).config.name).toBe("OTHER");
    expect(nats.requests).toEqual(["$JS.API.STREAM.INFO.NAS_test", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.INFO.OTHER"]);
  });

  it("is only the one that the option `stream` names", async () => {
    const { api } = await setUp({ stream: "MINE" });
    expect((await errorOf(() => api.use((requests) => api.findStream(requests)))).code).toBe("STREAM_UNAVAILABLE");
  });
});
