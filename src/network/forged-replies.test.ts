import { expect, it } from "vitest";
import type { NatsClient, NatsMessage } from "./nats-client.ts";
import { Replies, type Reply } from "./replies.ts";

/** Replies, and a function with which the server delivers messages to their subscription. */
function open() {
  let deliver!: (error: unknown, message: NatsMessage) => void;
  const client = {
    subscribe: (_: string, { callback }: { callback: typeof deliver }) => {
      deliver = callback;
      return { unsubscribe: () => undefined };
    },
  };
  return {
    replies: new Replies(client as unknown as NatsClient, "_INBOX"),
    deliver: (...given: Parameters<typeof deliver>) => deliver(...given),
  };
}

function received(message: Partial<NatsMessage>): Reply {
  const { replies, deliver } = open();
  const list: Reply[] = [];
  const inbox = replies.expect({ onReply: (reply) => list.push(reply), onError: () => undefined });
  deliver(null, { data: new Uint8Array(), ...message, subject: inbox.subject });
  return list[0] as Reply;
}

const headers = (code: number, ...lines: (readonly [name: string, value: string])[]) => ({
  code,
  last: (name: string) => lines.findLast(([of]) => of === name)?.[1] ?? "",
});

it("A reply has the status and the headers that the server gives it", () => {
  const reply = received({ headers: headers(404, ["Nats-Num-Pending", "2"]) });
  expect([reply.status, reply.header("Nats-Num-Pending"), reply.header("Other"), reply.replyTo]).toEqual([404, "2", "", ""]);
  expect(received({}).status).toBe(0);
});

it("Of a header that the publisher of a stored message has written too, the server's counts", () => {
  const reply = received({ headers: headers(0, ["Nats-Subject", "forged"], ["Nats-Subject", "actual"]) });
  expect(reply.header("Nats-Subject")).toBe("actual");
});

it("The status that the publisher of a stored message has written is no status of the reply", () => {
  expect(received({ headers: headers(404, ["Nats-Sequence", "7"]) }).status).toBe(0);
  expect(received({ reply: "$JS.ACK.s.c.1.7.1.1700000000.0", headers: headers(503) }).status).toBe(0);
});
