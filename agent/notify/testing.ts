// A small server on loopback that keeps what it was asked, for tests.
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Heard {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
}

export interface Listener {
  port: number;
  url: string;
  heard: Heard[];
  /** How the next requests are answered; default: 201 with `{}`. */
  answer: (res: ServerResponse, heard: Heard) => void;
  close(): void;
}

export async function listen(): Promise<Listener> {
  const listener: Omit<Listener, "port" | "url" | "close"> = {
    heard: [],
    answer: (res) => res.writeHead(201, { "content-type": "application/json" }).end("{}"),
  };
  const server = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on("data", (chunk: Buffer) => chunks.push(chunk));
    req.on("end", () => {
      const heard = { method: req.method ?? "", path: req.url ?? "", headers: req.headers };
      listener.heard.push({ ...heard, body: Buffer.concat(chunks).toString() });
      listener.answer(res, listener.heard.at(-1)!);
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return Object.assign(listener, {
    port,
    url: `http://127.0.0.1:${port}`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  });
}
