/** What `Worker` and the inside of a worker have in common. */
interface Endpoint {
  postMessage(message: unknown, transfer: Transferable[]): void;
}

/** Sends a request and resolves to its answer, which comes back on a channel of its own. */
export function request<Answer>(to: Endpoint, message: unknown): Promise<Answer> {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = ({ data }: MessageEvent<Answer>) => {
      port1.close();
      resolve(data);
    };
    to.postMessage(message, [port2]);
  });
}
