/** A worker, the global scope of a worker, or a port. */
interface Sender {
  addEventListener(type: "message", listener: (event: MessageEvent) => void): void;
  /** Ports deliver messages after this call. */
  start?(): void;
}

/** Answers the requests that come from a sender. */
export function answerRequests<Message>(from: Sender, answer: (message: Message, ...ports: MessagePort[]) => Promise<unknown>): void {
  from.addEventListener("message", ({ data, ports: [reply, ...ports] }) => {
    void answer(data as Message, ...ports).then((answered) => reply?.postMessage(answered));
  });
  from.start?.();
}
