/** Sends a request to a worker and resolves to its answer, which comes back on a channel of its own. */
export function request<Answer>(worker: Worker, message: unknown): Promise<Answer> {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = ({ data }: MessageEvent<Answer>) => {
      port1.close();
      resolve(data);
    };
    worker.postMessage(message, [port2]);
  });
}
