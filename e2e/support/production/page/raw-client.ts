/** A NATS client in the page, as an attacker with a page's credentials would use it. Tests call it as `login.openRaw(…)`. */
import type { NatsConnection } from "@nats-io/nats-core";
import { LONG_MS } from "../../deadline.ts";

const { headers, wsconnect } = await import("@nats-io/nats-core");

export interface Answer {
  /** The stream's subject for a message of a stream, otherwise the inbox. */
  readonly subject: string;
  readonly status: number;
  readonly text: string;
}

export class RawClient {
  readonly #connection: NatsConnection;
  readonly #inbox: string;

  constructor(connection: NatsConnection, inbox: string) {
    this.#connection = connection;
    this.#inbox = inbox;
  }

  /** Resolves to the answers up to the last one, or to the server's refusal. */
  async ask(subject: string, body: unknown, isLast: "first" | "status" = "first", id = ""): Promise<Answer[] | string> {
    const reply = `${this.#inbox}.${crypto.randomUUID()}`;
    const refused = this.#refusal(subject);
    const subscription = this.#connection.subscribe(reply);
    const header = headers();
    if (id) header.set("Nats-Msg-Id", id);
    this.#connection.publish(subject, textOf(body), { reply, headers: header });
    const answered = (async () => {
      const answers: Answer[] = [];
      for await (const message of subscription) {
        const status = message.headers?.code ?? 0;
        answers.push({ subject: message.subject, status, text: message.string() });
        if (isLast === "first" || status !== 0) break;
      }
      return answers;
    })();
    const late = new Promise<string>((resolve) => setTimeout(() => resolve("no answer"), LONG_MS));
    const outcome = await Promise.race([answered, refused, late]);
    subscription.unsubscribe();
    return outcome;
  }

  /** Sends a request whose answers go to a subject of any kind. Resolves when the server has read it. */
  async askFor(reply: string, subject: string, body: unknown): Promise<void> {
    this.#connection.publish(subject, textOf(body), { reply });
    await this.#connection.flush();
  }

  /** Resolves to the server's refusal, or to "subscribed". */
  async subscribe(subject: string): Promise<string> {
    const subscription = this.#connection.subscribe(subject);
    const ended = (async () => {
      for await (const _ of subscription);
    })();
    const outcome = await Promise.race([
      ended.then(
        () => "ended",
        (error: unknown) => String(error),
      ),
      this.#refusal(subject),
      this.#connection.flush().then(() => new Promise<string>((resolve) => setTimeout(() => resolve("subscribed")))),
    ]);
    subscription.unsubscribe();
    return outcome;
  }

  async #refusal(subject: string): Promise<string> {
    for await (const status of this.#connection.status()) {
      if (status.type === "error" && status.error.message.includes(`"${subject}"`)) return status.error.message;
    }
    return "closed";
  }
}

export async function connectRaw(servers: string, user: string, pass: string): Promise<RawClient> {
  const inbox = `_INBOX_${user}`;
  return new RawClient(await wsconnect({ servers, user, pass, inboxPrefix: inbox, reconnect: false }), inbox);
}

function textOf(body: unknown): string {
  return typeof body === "string" ? body : JSON.stringify(body);
}
