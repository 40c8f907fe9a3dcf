// The server's end of a `trace-v1` WebSocket: handshake, pings, events out. What the client says is read and ignored.
// Invariant: a client that reads slowly loses events and is told so; memory it does not cost.

import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { TailEvent } from "../model.js";
import { noticeOf } from "./describe.js";
import { CLOSE, createFrameReader, encodeClose, encodeFrame, OPCODE } from "./frames.js";
import type { TailSocket, Tails } from "./tails.js";

export const PROTOCOL = "trace-v1";

/** RFC 6455, section 1.3. */
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/** Bytes that may wait to be sent. */
const MAX_WAITING = 2 ** 20;
/** Milliseconds between pings of ours; a client that was silent since the last but one is gone. */
const PING_INTERVAL = 15_000;
/** Milliseconds that a client has to answer the close frame. */
const CLOSE_LIMIT = 2_000;

export interface Upgrade {
  request: IncomingMessage;
  socket: Duplex;
  /** Bytes that came right behind the request. */
  head: Buffer;
}

/** Opens the tail that the request is for, or refuses it. Never throws. */
export function acceptTail(tails: Tails, { id, secret }: { id: string; secret: string }, upgrade: Upgrade): void {
  const { request, socket, head } = upgrade;
  const refusal = refusalOf(request);
  if (refusal) {
    refuse(socket, refusal);
    return;
  }
  const end = tails.open(id, secret, () => openSocket(upgrade));
  if (!end) {
    refuse(socket, "404 Not Found");
    return;
  }
  socket.once("close", end);
  if (head.length) socket.unshift(head);
}

/** Ends an upgrade that leads nowhere. */
export function refuse(socket: Duplex, status: string): void {
  socket.on("error", () => socket.destroy());
  socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
}

function refusalOf({ method, headers }: IncomingMessage): string | undefined {
  const protocols = (headers["sec-websocket-protocol"] ?? "").split(",").map((name) => name.trim());
  if (method !== "GET" || headers.upgrade?.toLowerCase() !== "websocket") return "400 Bad Request";
  if (headers["sec-websocket-version"] !== "13") return "426 Upgrade Required";
  if (!/^[A-Za-z0-9+/]{22}==$/.test(headers["sec-websocket-key"] ?? "")) return "400 Bad Request";
  return protocols.includes(PROTOCOL) ? undefined : "400 Bad Request";
}

function openSocket({ request, socket }: Upgrade): TailSocket {
  const accept = createHash("sha1").update(`${request.headers["sec-websocket-key"]}${GUID}`).digest("base64");
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: ${accept}\r\nsec-websocket-protocol: ${PROTOCOL}\r\n\r\n`,
  );
  socket.on("error", () => socket.destroy());
  let isClosing = false;
  let isAlive = true;
  let lost = 0;
  const write = (bytes: Buffer) => {
    if (!isClosing && !socket.destroyed) socket.write(bytes);
  };
  const sendText = (event: TailEvent) => write(encodeFrame(OPCODE.text, Buffer.from(JSON.stringify(event))));
  const close = (code: number) => {
    write(encodeClose(code));
    isClosing = true;
    socket.end();
    setTimeout(() => socket.destroy(), CLOSE_LIMIT).unref();
  };

  const read = createFrameReader();
  socket.on("data", (bytes: Buffer) => {
    isAlive = true;
    if (isClosing) return;
    const frames = read(bytes);
    if (typeof frames === "number") return close(frames);
    for (const { opcode, payload } of frames) {
      if (opcode === OPCODE.ping && socket.writableLength <= MAX_WAITING) write(encodeFrame(OPCODE.pong, payload));
      else if (opcode === OPCODE.close) return close(CLOSE.normal);
    }
  });
  socket.on("end", () => socket.destroy());
  const pings = setInterval(() => {
    if (isAlive) write(encodeFrame(OPCODE.ping, Buffer.alloc(0)));
    else socket.destroy();
    isAlive = false;
  }, PING_INTERVAL).unref();
  socket.once("close", () => clearInterval(pings));

  return {
    send(event) {
      if (socket.writableLength > MAX_WAITING) {
        lost++;
        return;
      }
      if (lost) sendText(noticeOf(event.scriptName, lost, event.eventTimestamp));
      lost = 0;
      sendText(event);
    },
    close: () => close(CLOSE.normal),
  };
}
