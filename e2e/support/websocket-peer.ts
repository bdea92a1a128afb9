import { createHash } from "node:crypto";
import type { Socket } from "node:net";

/** The browser at the other end of a TCP connection that speaks WebSocket (RFC 6455). */
export interface WebSocketPeer {
  /** Called for the HTTP request. */
  onRequest: () => void;
  /** Called with the payload of each data frame. */
  onData: (bytes: Buffer) => void;
  /** Called for a close frame. */
  onClose: (code: number) => void;
  /** Answers the HTTP request. */
  accept(): void;
  send(text: string): void;
  /** Sends a close frame. The connection stays open until the browser answers. */
  sendClose(code: number): void;
}

const MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const OPCODE = { binary: 2, close: 8 } as const;

export function webSocketPeer(socket: Socket): WebSocketPeer {
  let request: string | undefined;
  let unread = Buffer.alloc(0);

  const peer: WebSocketPeer = {
    onRequest: () => {},
    onData: () => {},
    onClose: () => {},
    accept: () => {
      const key = /^sec-websocket-key: *(\S+)/im.exec(request ?? "")?.[1] ?? "";
      const accept = createHash("sha1")
        .update(key + MAGIC)
        .digest("base64");
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
      );
    },
    send: (text) => void socket.write(frame(OPCODE.binary, Buffer.from(text))),
    sendClose: (code) => {
      const payload = Buffer.alloc(2);
      payload.writeUInt16BE(code);
      socket.write(frame(OPCODE.close, payload));
    },
  };

  const readRequest = (): boolean => {
    const end = unread.indexOf("\r\n\r\n");
    if (end < 0) return false;
    request = unread.subarray(0, end).toString("latin1");
    unread = unread.subarray(end + 4);
    peer.onRequest();
    return true;
  };
  const readFrame = (): boolean => {
    const found = unframe(unread);
    if (found === undefined) return false;
    unread = unread.subarray(found.size);
    if (found.opcode === OPCODE.close) peer.onClose(found.payload.length >= 2 ? found.payload.readUInt16BE() : 1005);
    else if (found.opcode < OPCODE.close) peer.onData(found.payload);
    return true;
  };
  socket.on("data", (bytes: Buffer) => {
    unread = Buffer.concat([unread, bytes]);
    while (request === undefined ? readRequest() : readFrame()) continue;
  });
  return peer;
}

/** A complete frame, not masked, because servers do not mask. */
function frame(opcode: number, payload: Buffer): Buffer {
  const size = payload.length;
  const head = size < 126 ? Buffer.from([0x80 | opcode, size]) : Buffer.from([0x80 | opcode, 126, size >> 8, size & 0xff]);
  return Buffer.concat([head, payload]);
}

/** The first frame of the received bytes, unmasked. Undefined while it is incomplete. */
function unframe(bytes: Buffer): { opcode: number; payload: Buffer; size: number } | undefined {
  if (bytes.length < 2) return undefined;
  const short = bytes[1]! & 0x7f;
  const maskAt = short === 127 ? 10 : short === 126 ? 4 : 2;
  if (bytes.length < maskAt + 4) return undefined;
  const length = short === 127 ? Number(bytes.readBigUInt64BE(2)) : short === 126 ? bytes.readUInt16BE(2) : short;
  const start = maskAt + 4;
  if (bytes.length < start + length) return undefined;
  const payload = Buffer.from(bytes.subarray(start, start + length));
  for (let at = 0; at < length; at++) payload[at]! ^= bytes[maskAt + (at & 3)]!;
  return { opcode: bytes[0]! & 0x0f, payload, size: start + length };
}
