import { describe, expect, it, vi } from "vitest";
import type { NatsClient, NatsMessage } from "./nats-client.ts";
import { Replies, type ReplyListener } from "./replies.ts";

type Receive = (error: unknown, message: NatsMessage) => void;

function setUp() {
  const subscriptions = new Map<string, Receive>();
  const subscribe = vi.fn<NatsClient["subscribe"]>((subject, { callback }) => {
    subscriptions.set(subject, callback);
    return { unsubscribe: () => void subscriptions.delete(subject) };
  });
  const replies = new Replies({ subscribe } as unknown as NatsClient, "_INBOX.app");
  const reply = (subject: string, error: unknown = null): void => {
    for (const [filter, receive] of subscriptions) {
      if (filter === subject || subject.startsWith(filter.replace("*", ""))) receive(error, { subject, data: new Uint8Array() });
    }
  };
  const listener = () => ({ onReply: vi.fn<ReplyListener["onReply"]>(), onError: vi.fn<ReplyListener["onError"]>() });
  return { subscriptions, subscribe, replies, reply, listener };
}

describe("The replies of a connection", () => {
  it("come by one subscription, and each goes to the inbox that its subject names", () => {
    const { subscribe, replies, reply, listener } = setUp();
    const [first, second] = [listener(), listener()];
    const inbox = replies.expect(first);
    reply(replies.expect(second).subject);
    expect(inbox.subject).toMatch(/^_INBOX\.app\.[0-9a-f]{32}\.1$/);
    expect([first, second].map(({ onReply }) => onReply.mock.calls.length)).toEqual([0, 1]);
    expect(subscribe).toHaveBeenCalledTimes(1);
  });

  it("do not reach an inbox that has ended", () => {
    const { replies, reply, listener } = setUp();
    const ended = listener();
    const inbox = replies.expect(ended);
    inbox.end();
    reply(inbox.subject);
    expect(ended.onReply).not.toHaveBeenCalled();
  });

  it("fail for every inbox, now and later, where the client may not receive them", async () => {
    const { replies, reply, listener } = setUp();
    const [before, after] = [listener(), listener()];
    const { subject } = replies.expect(before);
    reply(subject, new Error("denied"));
    replies.expect(after);
    await Promise.resolve();
    expect(before.onError).toHaveBeenCalledExactlyOnceWith(new Error("denied"));
    expect(after.onError).toHaveBeenCalledExactlyOnceWith(new Error("denied"));
  });

  it("of a consumer come by a subscription that ends with the inbox", () => {
    const { subscriptions, replies, reply, listener } = setUp();
    const messages = listener();
    const inbox = replies.expectMessages(messages);
    reply(inbox.subject);
    expect(messages.onReply).toHaveBeenCalledTimes(1);
    inbox.end();
    expect([...subscriptions.keys()]).not.toContain(inbox.subject);
  });

  it("have the code and the headers of the message; none of them: 0 and empty", () => {
    const { subscriptions, replies, listener } = setUp();
    const { onReply, ...rest } = listener();
    const { subject } = replies.expect({ onReply, ...rest });
    const receive = [...subscriptions.values()][0] as Receive;
    receive(null, { subject, data: new Uint8Array() });
    expect(onReply.mock.calls[0]?.[0]).toMatchObject({ status: 0, replyTo: "" });
    expect(onReply.mock.calls[0]?.[0].header("A")).toBe("");
    receive(null, { subject, reply: "next", data: new Uint8Array() });
    expect(onReply.mock.calls[1]?.[0]).toMatchObject({ status: 0, replyTo: "next" });
    const headers = { code: 503, last: (name: string) => (name === "A" ? "value of A" : "") };
    receive(null, { subject, data: new Uint8Array(), headers });
    expect(onReply.mock.calls[2]?.[0]).toMatchObject({ status: 503, replyTo: "" });
    expect(onReply.mock.calls[2]?.[0].header("A")).toBe("value of A");
  });
});
