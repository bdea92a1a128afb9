import { StreamApi } from "../durable/stream-api.ts";
import type { Message } from "../model/envelope.ts";
import type { Receipt, Request } from "../network/connection.ts";
import type { NatsClient, NatsMessage } from "../network/nats-client.ts";
import { Replies } from "../network/replies.ts";
import { checkedOptionsOf } from "../options/checked-options.ts";
import { settingsOf } from "../options/defaults.ts";
import type { KeyStoreOptions } from "../options/types.ts";
import { bytesOf } from "../util/utf8.ts";
import { FakeClock } from "./fake-clock.ts";
import { FakeConnection } from "./fake-connection.ts";

const API = "$JS.API.";

/** The answers to requests of one kind, one after another: objects become JSON, errors break the connection. */
type Answers = Record<string, (object | Error)[]>;

/** JetStream of a server that gives the answers of a test. A request without an answer waits. */
export class FakeStreams {
  readonly connection: FakeConnection;
  readonly clock = new FakeClock();
  readonly api: StreamApi;
  /** The subjects of the requests, without their prefix. */
  readonly requests: string[] = [];
  readonly bodies: unknown[] = [];

  /** @param unreachable why no connection can be opened */
  constructor(answers: Answers, unreachable?: Error, options: KeyStoreOptions = {}) {
    let receive: (error: unknown, message: NatsMessage) => void = () => undefined;
    let breakConnection: (error: Error) => void = () => undefined;
    const closed = new Promise<never>((_, reject) => (breakConnection = reject));
    closed.catch(() => undefined);
    const client = {
      subscribe: (_subject: string, { callback }: { callback: typeof receive }) => {
        receive = callback;
        return { unsubscribe: () => undefined };
      },
    };
    const { requests, bodies } = this;
    class Connection extends FakeConnection {
      override readonly closed = closed;
      override readonly replies = new Replies(client as unknown as NatsClient, "_INBOX");

      override publish(message: Message, request?: Request): Receipt {
        const name = message.subject.replace(API, "");
        requests.push(name);
        bodies.push(message.data.length === 0 ? undefined : JSON.parse(new TextDecoder().decode(message.data)));
        const answer = answers[name]?.shift();
        if (answer instanceof Error) breakConnection(answer);
        else if (answer !== undefined) {
          const reply = { subject: request?.replyTo ?? "", data: bytesOf(JSON.stringify(answer)) };
          queueMicrotask(() => receive(null, reply));
        }
        return super.publish(message, request);
      }
    }
    this.connection = new Connection();
    const { durable, ...settings } = settingsOf(checkedOptionsOf({ namespace: "app", durable: true, ...options }));
    if (durable === undefined) throw new Error("These streams are of a durable store.");
    const { connection } = this;
    this.api = new StreamApi({
      clock: this.clock,
      settings: { ...settings, durable },
      transport: { use: async (work) => (unreachable === undefined ? work(connection) : Promise.reject(unreachable)) },
    });
  }
}
