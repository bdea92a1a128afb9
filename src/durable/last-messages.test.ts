import { describe, expect, it, vi } from "vitest";
import type { Reply } from "../network/replies.ts";
import { codeOf } from "../testing/errors.ts";
import { streamUnavailable } from "./stream-error.ts";
import { LastMessages } from "./last-messages.ts";
import type { StreamApi, StreamRequests } from "./stream-api.ts";
import { StreamRequestError } from "./stream-error.ts";

/** What the stream has: key → sequence. */
type Stored = Readonly<Record<string, number>>;

const DIRECT = "$JS.API.DIRECT.GET.NAS_app";
const GET = "$JS.API.STREAM.MSG.GET";

function reply(status: number, headers: Readonly<Record<string, string | number>> = {}): Reply {
  return { subject: "", replyTo: "", data: new Uint8Array(), status, header: (name) => String(headers[name] ?? "") };
}

/** A message, as a direct get has it. */
const direct = (key: string, sequence: number, last: number): Reply =>
  reply(0, { "Nats-Subject": `_kv.app.key.${key}`, "Nats-Sequence": sequence, "Nats-Last-Sequence": last });
const end = (pending: number, last: number): Reply => reply(204, { "Nats-Num-Pending": pending, "Nats-Last-Sequence": last });

function open({ version = "2.15.0", stored = {}, answers = [], names = ["NAS_app"] }: Given) {
  const asked: string[] = [];
  const bodies: { multi_last: string[] }[] = [];
  const left = [...answers];
  const requests = {
    isAtLeast: (_: number, minor: number) => Number(version.split(".")[1]) >= minor,
    collect: async (subject: string, body: { multi_last: string[] }, onReply: (reply: Reply) => boolean) => {
      asked.push(subject);
      bodies.push(body);
      for (const one of left.shift() ?? [reply(408)]) if (onReply(one)) return;
      throw new Error("The server did not answer.");
    },
    request: async (subject: string, { last_by_subj }: { last_by_subj: string }) => {
      const name = subject.slice(GET.length + 1);
      asked.push(subject);
      if (!names.includes(name)) throw new StreamRequestError({ code: 404, err_code: 10059, description: "stream not found" });
      const seq = stored[last_by_subj.replace("_kv.app.key.", "")];
      if (seq === undefined) throw new StreamRequestError({ code: 404, err_code: 10037, description: "no message found" });
      return { message: { subject: last_by_subj, seq } };
    },
  };
  const api = {
    ports: { settings: { namespace: "app", durable: { stream: "NAS_app" } } },
    use: <T>(work: (given: StreamRequests) => Promise<T>) => work(requests as unknown as StreamRequests),
    findStream: vi.fn<() => Promise<unknown>>(async () => {
      if (names[0] === undefined) throw streamUnavailable("There is no stream.");
      return { config: { name: names[0] } };
    }),
  };
  const lastMessages = new LastMessages(api as unknown as StreamApi);
  const sequences = async (...keys: string[]): Promise<number[]> => (await lastMessages.of(keys)).map(({ sequence }) => sequence);
  return { sequences, asked, bodies, findStream: api.findStream };
}

interface Given {
  readonly version?: string;
  readonly stored?: Stored;
  /** The replies to each direct get. */
  readonly answers?: readonly (readonly Reply[])[];
  readonly names?: readonly string[];
}

describe("The last message of one key", () => {
  it("is asked of the stream's leader", async () => {
    const { sequences, asked } = open({ stored: { a: 7 } });
    expect(await sequences("a")).toEqual([7]);
    expect(await sequences("b")).toEqual([]);
    expect(asked).toEqual([`${GET}.NAS_app`, `${GET}.NAS_app`]);
  });

  it("is asked of the stream that has the subjects, where the default name is not its name, whose name is remembered", async () => {
    const { sequences, asked, findStream } = open({ stored: { a: 7 }, names: ["other"] });
    expect(await sequences("a")).toEqual([7]);
    expect(await sequences("a")).toEqual([7]);
    expect(asked).toEqual([`${GET}.NAS_app`, `${GET}.other`, `${GET}.other`]);
    expect(findStream).toHaveBeenCalledTimes(1);
  });

  it("rejects STREAM_UNAVAILABLE where there is no stream", async () => {
    expect(await codeOf(() => open({ names: [] }).sequences("a"))).toBe("STREAM_UNAVAILABLE");
  });
});

describe("The last messages of several keys", () => {
  it("are asked for one by one before 2.11", async () => {
    const { sequences, asked } = open({ version: "2.10.29", stored: { a: 7, c: 9 } });
    expect(await sequences("a", "b", "c")).toEqual([7, 9]);
    expect(asked).toEqual(Array(3).fill(`${GET}.NAS_app`));
  });

  it("are asked for together since 2.11", async () => {
    const { sequences, asked, bodies } = open({ answers: [[direct("a", 7, 0), direct("c", 9, 7), end(0, 9)]] });
    expect(await sequences("a", "b", "c")).toEqual([7, 9]);
    expect(asked).toEqual([DIRECT]);
    expect(bodies[0]?.multi_last).toEqual(["_kv.app.key.a", "_kv.app.key.b", "_kv.app.key.c"]);
  });

  it("are asked for again as far as an answer lacks them", async () => {
    const answers = [
      [direct("a", 7, 0), end(1, 7)],
      [direct("c", 9, 0), end(0, 9)],
    ];
    const { sequences, bodies } = open({ answers });
    expect(await sequences("a", "b", "c")).toEqual([7, 9]);
    expect(bodies[1]?.multi_last).toEqual(["_kv.app.key.b", "_kv.app.key.c"]);
  });

  it("are none where the stream has none", async () => {
    const { sequences, asked } = open({ answers: [[reply(404)]] });
    expect(await sequences("a", "b")).toEqual([]);
    expect(asked).toEqual([DIRECT]);
  });

  it.each([
    ["answers with an error", [reply(408)]],
    ["has lost a message", [direct("a", 7, 0), direct("b", 9, 8), end(0, 9)]],
    ["has lost the last message", [direct("a", 7, 0), end(0, 9)]],
    ["gives no messages", [end(2, 0)]],
    ["gives a message without a sequence", [direct("a", Number.NaN, 0)]],
  ])("are asked for one by one where the answer to a direct get %s", async (_, answer) => {
    const { sequences } = open({ answers: [answer], stored: { a: 7, b: 9 } });
    expect(await sequences("a", "b")).toEqual([7, 9]);
  });

  it("do not include messages of other subjects", async () => {
    const { sequences } = open({ answers: [[direct("a", 7, 0), direct("x", 8, 7), end(0, 8)]] });
    expect(await sequences("a", "b")).toEqual([7]);
  });

  it("are asked for in parts of 1,024 keys, and of less bytes than a server accepts", async () => {
    const many = open({ answers: Array.from({ length: 3 }, () => [reply(404)]) });
    await many.sequences(...Array.from({ length: 2_049 }, (_, n) => `k${n}`), "b");
    expect(many.bodies.map(({ multi_last }) => multi_last.length)).toEqual([1_024, 1_024, 2]);

    const long = open({ answers: Array.from({ length: 100 }, () => [reply(404)]) });
    await long.sequences(...Array.from({ length: 200 }, (_, n) => `${n}${"x".repeat(3_000)}`));
    const sizes = long.bodies.map((body) => JSON.stringify(body).length);
    expect(sizes.length).toBeLessThan(20);
    expect(Math.max(...sizes)).toBeLessThan(500_000);
    expect(long.bodies.flatMap(({ multi_last }) => multi_last)).toHaveLength(200);
  });
});
