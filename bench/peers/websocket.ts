const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The lower bound: one message over its own WebSocket, with nothing else. Resolves at the PONG, then closes. */
export function oneShot(url: string, subject: string, data: string): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    let greeted = false;
    socket.addEventListener("error", () => reject(new Error(`No WebSocket at ${url}`)));
    socket.addEventListener("message", ({ data: received }: MessageEvent<ArrayBuffer>) => {
      if (!greeted) {
        greeted = true;
        socket.send(request(subject, data));
        return;
      }
      const text = decoder.decode(received);
      if (!text.includes("PONG\r\n")) return text.includes("-ERR") ? reject(new Error(text)) : undefined;
      socket.close(1000); // without a code, nats-server 2.9 answers with one that Chromium reports as an error
      resolve(socket);
    });
  });
}

function request(subject: string, data: string): Uint8Array<ArrayBuffer> {
  const length = encoder.encode(data).length;
  return encoder.encode(
    `CONNECT {"verbose":false,"pedantic":false,"protocol":1,"lang":"bench","version":"1"}\r\n` +
      `PUB ${subject} ${length}\r\n${data}\r\nPING\r\n`,
  );
}

export function closed(socket: WebSocket): Promise<unknown> {
  return new Promise((resolve) => socket.addEventListener("close", resolve, { once: true }));
}
