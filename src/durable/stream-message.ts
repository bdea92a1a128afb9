import { toUint8Array } from "js-base64";

import type { Reply } from "../network/replies.ts";
import { isCount } from "../util/count.ts";
import type { StreamRequests } from "./stream-api.ts";
import { ErrorCode, StreamRequestError } from "./stream-error.ts";

/** A message of a stream, however it was requested. */
export interface StreamMessage {
  readonly subject: string;
  /** The stream sequence. */
  readonly sequence: number;
  readonly data: Uint8Array;
  /** Empty: the message has no such header. */
  header(name: string): string;
}

/** A reply to a direct get. @throws Error for anything else */
export function directMessage(reply: Reply): StreamMessage {
  return {
    subject: reply.header("Nats-Subject"),
    sequence: countOf(reply.header("Nats-Sequence"), 1),
    data: reply.data,
    header: reply.header,
  };
}

/** A message that a consumer has delivered, and how many it has left. @throws Error for anything else */
export function consumerMessage({ subject, replyTo, data, header }: Reply): { message: StreamMessage; pending: number } {
  // $JS.ACK.<stream>.<consumer>.<deliveries>.<stream sequence>.<consumer sequence>.<time>.<pending>; newer servers may have two more tokens before
  // the stream's name, and one at the end.
  const tokens = replyTo.split(".");
  const at = tokens.length > 9 ? 7 : 5;
  return { message: { subject, sequence: countOf(tokens[at], 1), data, header }, pending: countOf(tokens[at + 3], 0) };
}

/** The last message of a subject, as the stream's leader has it. Undefined: there is none. @throws KeyStoreError STREAM_UNAVAILABLE */
export function lastMessage(requests: StreamRequests, stream: string, subject: string): Promise<StreamMessage | undefined> {
  return leaderMessage(requests, stream, { last_by_subj: subject });
}

/** The first message of subjects from a sequence on, as the stream's leader has it. Undefined: there is none. @throws KeyStoreError STREAM_UNAVAILABLE */
export async function nextMessage(
  requests: StreamRequests,
  stream: string,
  sequence: number,
  subject: string,
): Promise<StreamMessage | undefined> {
  const next = await leaderMessage(requests, stream, { seq: sequence, next_by_subj: subject });
  if (next !== undefined && next.sequence < sequence) throw new Error("The server sent a message that is before the requested ones.");
  return next;
}

interface StoredMessage {
  readonly message: { readonly subject: string; readonly seq: number; readonly data?: string; readonly hdrs?: string };
}

async function leaderMessage(requests: StreamRequests, stream: string, what: object): Promise<StreamMessage | undefined> {
  try {
    const { message } = await requests.request<StoredMessage>(`$JS.API.STREAM.MSG.GET.${stream}`, what);
    const { subject, seq, data = "", hdrs = "" } = message;
    return {
      subject,
      sequence: countOf(seq, 1),
      data: toUint8Array(data),
      header: headersOf(new TextDecoder().decode(toUint8Array(hdrs))),
    };
  } catch (error) {
    if (error instanceof StreamRequestError && error.errorCode === ErrorCode.MESSAGE_NOT_FOUND) return undefined;
    throw error;
  }
}

/** The headers of a block, as it is on the wire. */
function headersOf(block: string): (name: string) => string {
  const lines = block.split("\r\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()] as const);
  return (name) => lines.find(([of]) => of === name)?.[1] ?? "";
}

function countOf(given: string | number | undefined, least: number): number {
  const count = Number(given);
  if (!isCount(count) || count < least) throw new Error("The server sent a message without its stream sequence.");
  return count;
}
