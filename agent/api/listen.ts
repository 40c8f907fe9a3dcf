// Serves a handler on a unix socket or a port, with time limits that no slow client outlasts.

import { chmod, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { WrkstError } from "../errors.js";
import type { Via } from "./client.js";

export type Handler = (req: IncomingMessage, res: ServerResponse, via: Via) => void;

export interface ListenOptions {
  handler: Handler;
  /** Takes connections that become WebSockets. Other protocols are never spoken: such a wish is ignored. */
  upgrade?: (upgrade: { request: IncomingMessage; socket: Duplex; head: Buffer }) => void;
  /** A unix socket: only the router reaches it, so its headers are believed. A left-over file is replaced. */
  socketPath?: string;
  host?: string;
  port?: number;
}

export interface Listening {
  server: Server;
  /** The port in use; undefined on a unix socket. */
  port: number | undefined;
  /** Lets requests finish for a while, then cuts what is left. */
  close(graceMilliseconds?: number): Promise<void>;
}

/** @throws WrkstError ERR_CONFIG when the address cannot be had */
export async function listenOn({ handler, upgrade, socketPath, host, port = 0 }: ListenOptions): Promise<Listening> {
  const via: Via = socketPath === undefined ? "direct" : "router";
  const server = createServer((req, res) => {
    res.once("finish", () => dropUnread(req));
    handler(req, res, via);
  });
  if (upgrade) {
    server.on("upgrade", (request, socket, head) => {
      if (request.headers.upgrade?.toLowerCase() === "websocket") upgrade({ request, socket, head });
      else ignoreUpgrade(server, request, socket as Socket);
    });
  }
  server.headersTimeout = 15_000;
  // A push may take longer than any fixed time; whoever reads a body sets its own limit.
  server.requestTimeout = 0;
  server.keepAliveTimeout = 60_000;
  server.maxHeadersCount = 200;
  if (socketPath !== undefined) await rm(socketPath, { force: true });
  await listening(server, socketPath === undefined ? { host: host === "*" ? undefined : host, port } : { socketPath });
  if (socketPath !== undefined) await chmod(socketPath, 0o600);
  const address = server.address() as AddressInfo | string;
  return {
    server,
    port: typeof address === "string" ? undefined : address.port,
    close: (grace = 5000) => closeServer(server, grace),
  };
}

function listening(server: Server, where: { socketPath?: string; host?: string | undefined; port?: number }) {
  const name = where.socketPath ?? `${where.host ?? "*"}:${where.port}`;
  return new Promise<void>((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      reject(
        new WrkstError("ERR_CONFIG", `cannot listen on "${name}": ${cause.code ?? cause.message}`, {
          hint: cause.code === "EADDRINUSE" ? "end what listens there, or choose another port" : undefined,
          cause,
        }),
      );
    });
    const done = () => {
      server.removeAllListeners("error");
      server.on("error", () => undefined);
      resolve();
    };
    if (where.socketPath !== undefined) server.listen(where.socketPath, done);
    else server.listen(where.port, where.host, done);
  });
}

/**
 * Some clients offer HTTP/2 with their first request, and take an answer in HTTP/1.1. Node has left the connection by then:
 * a body cannot be read any more, and the answer is the last on it.
 */
function ignoreUpgrade(server: Server, request: IncomingMessage, socket: Socket): void {
  socket.on("error", () => socket.destroy());
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  response.assignSocket(socket);
  response.once("finish", () => socket.end());
  const hasBody = Number(request.headers["content-length"] ?? 0) > 0 || request.headers["transfer-encoding"];
  if (hasBody) response.writeHead(400).end();
  else server.emit("request", request, response);
}

/** An answer that came before the end of the body: give the client a second to read it, then cut the connection. */
function dropUnread(req: IncomingMessage): void {
  if (req.complete) return;
  setTimeout(() => {
    if (!req.complete) req.socket.destroy();
  }, 1000).unref();
}

async function closeServer(server: Server, grace: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const cut = setTimeout(() => server.closeAllConnections(), grace);
  await closed;
  clearTimeout(cut);
}
