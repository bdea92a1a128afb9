/** Answers the requests that this worker gets. */
export function answerRequests<Message>(answer: (message: Message) => Promise<unknown>): void {
  globalThis.addEventListener("message", ({ data, ports }: MessageEvent<Message>) => {
    void answer(data).then((answered) => ports[0]?.postMessage(answered));
  });
}
