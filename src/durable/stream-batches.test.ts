import { expect, it } from "vitest";
import type { Reply } from "../network/replies.ts";
import type { StreamInfo, StreamRequests } from "./stream-api.ts";
import { streamBatches, type StreamBatch } from "./stream-batches.ts";
import { noResponders } from "./stream-error.ts";

const INFO: StreamInfo = {
  config: { name: "S", max_msgs_per_subject: 1, allow_direct: true },
  state: { first_seq: 1, last_seq: 3, messages: 3, bytes: 300 },
  created: "then",
};

function delivered(sequence: number, pending: number, token = ""): Reply {
  const domain = token === "" ? "" : "hub.hash.";
  const replyTo = `$JS.ACK.${domain}S.C.1.${sequence}.${sequence}.1700000000.${pending}${token}`;
  return { subject: `_kv.test.key.k${sequence}`, replyTo, data: new Uint8Array(), status: 0, header: () => "" };
}

/** A server without batched direct get, which knows a consumer after some requests. */
function oldServer(unknownFor: number, replies: readonly Reply[]) {
  const log: string[] = [];
  let left = unknownFor;
  const requests = {
    isAtLeast: () => false,
    request: async (subject: string) => {
      log.push(subject.split(".").slice(2, 4).join("."));
      return { num_pending: replies.length, message: { subject: "_kv.test.key.k3", seq: 3 } };
    },
    collect: async (_subject: string, _body: object, onReply: (reply: Reply) => boolean) => {
      log.push("next");
      if (left-- > 0) throw noResponders();
      for (const reply of replies) if (onReply(reply)) return;
    },
  };
  return { log, requests: requests as unknown as StreamRequests };
}

async function all(requests: StreamRequests): Promise<StreamBatch[]> {
  const batches: StreamBatch[] = [];
  for await (const batch of streamBatches(requests, { info: INFO, subject: "_kv.test.key.>", from: 1, signal: undefined }))
    batches.push(batch);
  return batches;
}

it("A consumer is asked again until its server knows it, and is deleted in the end", async () => {
  const { log, requests } = oldServer(2, [delivered(1, 2), delivered(2, 1, ".token"), delivered(3, 0)]);
  const batches = await all(requests);
  expect(batches.map(({ messages, upTo, pending }) => [messages.map(({ sequence }) => sequence), upTo, pending])).toEqual([
    [[1, 2, 3], 3, 0],
  ]);
  expect(log).toEqual(["CONSUMER.CREATE", "next", "next", "next", "CONSUMER.DELETE"]);
});

it("A consumer that nobody answers for ends the pull with an error", async () => {
  await expect(all(oldServer(Infinity, [delivered(1, 0)]).requests)).rejects.toThrow("No stream takes messages");
});

it("A consumer whose messages were removed since it was created delivers none, and the leader is asked for later ones", async () => {
  const { log, requests } = oldServer(0, [{ ...delivered(1, 0), status: 404 }]);
  expect((await all(requests)).map(({ upTo }) => upTo)).toEqual([3]);
  expect(log).toEqual(["CONSUMER.CREATE", "next", "CONSUMER.DELETE", "STREAM.MSG"]);
});

it("A server that answers each request with the same message ends the pull with an error", async () => {
  for (const isDirect of [true, false]) {
    let requested = 0;
    const counted = (): void => {
      if (++requested > 9) throw new Error("This would never end.");
    };
    const headers: Record<string, string> = { "Nats-Subject": "_kv.test.key.k1", "Nats-Sequence": "1", "Nats-Last-Sequence": "0" };
    const message: Reply = { ...delivered(1, 0), header: (name) => headers[name] ?? "" };
    const requests = {
      isAtLeast: () => isDirect,
      request: async () => {
        counted();
        return { num_pending: 0, message: { subject: "_kv.test.key.k1", seq: 1 } };
      },
      collect: async (_subject: string, _body: object, onReply: (reply: Reply) => boolean) => {
        counted();
        onReply(message);
        onReply({
          ...message,
          status: 204,
          header: (name) => (name === "Nats-Num-Pending" ? "1" : name === "Nats-Last-Sequence" ? "1" : ""),
        });
      },
    };
    await expect(all(requests as unknown as StreamRequests)).rejects.toThrow("before the requested ones");
  }
});
