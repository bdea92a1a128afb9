/** A worker, the global scope of a worker, or a port. */
interface Recipient {
  postMessage(message: unknown, transfer: Transferable[]): void;
}

/** Sends a request and resolves to its answer. The answer comes back on the first port of the message. */
export function request<Answer>(to: Recipient, message: unknown, ...ports: MessagePort[]): Promise<Answer> {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = ({ data }: MessageEvent<Answer>) => {
      port1.close();
      resolve(data);
    };
    to.postMessage(message, [port2, ...ports]);
  });
}
