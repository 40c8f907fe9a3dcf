// HTTP over a unix socket with connections kept open: the agent's only way to talk to workerd. Never follows anything.
import { Agent, type IncomingMessage, request } from "node:http";
import { WrkstError } from "../errors.js";

export interface SocketRequest {
  path: string;
  /** Present: POST; absent: GET. */
  body?: Uint8Array | string;
  headers?: Record<string, string>;
  /** Milliseconds until it is given up; 0 for never. */
  timeout: number;
}

export interface SocketAnswer {
  status: number;
  body: Buffer;
}

export interface SocketClient {
  /** Throws ERR_TIMEOUT, or ERR_RUNTIME when the connection fails. */
  send(request: SocketRequest): Promise<SocketAnswer>;
  /** Resolves with an answer whose body is still to come, for as long as it takes. Throws as `send`, and ERR_RUNTIME with a
   * RefusedOpening as its cause where the answer is not 200. */
  open(request: SocketRequest): Promise<IncomingMessage>;
  close(): void;
}

export function openSocketClient(socketPath: string): SocketClient {
  const agent = new Agent({ keepAlive: true, maxSockets: 64, noDelay: true });
  return {
    send: (wanted) => ask(agent, socketPath, wanted, collect),
    open: (wanted) => ask(agent, socketPath, wanted, opened),
    close: () => agent.destroy(),
  };
}

/** The time limit holds until `take` has what it wants of the answer. */
function ask<T>(
  agent: Agent,
  socketPath: string,
  wanted: SocketRequest,
  take: (incoming: IncomingMessage) => Promise<T>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const { path, body, headers = {}, timeout } = wanted;
    const outgoing = request({
      agent,
      socketPath,
      path,
      method: body === undefined ? "GET" : "POST",
      headers: {
        host: "runtime",
        ...headers,
        ...(body === undefined ? {} : { "content-length": Buffer.byteLength(body) }),
      },
    });
    const timer = timeout ? setTimeout(() => outgoing.destroy(tooLate(path, timeout)), timeout) : undefined;
    const fail = (error: Error) => {
      clearTimeout(timer);
      reject(error instanceof WrkstError ? error : broken(path, error));
    };
    outgoing.on("error", fail);
    outgoing.on("response", (incoming) => {
      take(incoming).then((answer) => {
        clearTimeout(timer);
        resolve(answer);
      }, fail);
    });
    outgoing.end(body);
  });
}

export class RefusedOpening extends Error {
  readonly status: number;
  readonly text: string;

  constructor({ status, body }: SocketAnswer) {
    super(`it answered ${status}`);
    this.status = status;
    this.text = body.toString();
  }
}

async function opened(incoming: IncomingMessage): Promise<IncomingMessage> {
  if (incoming.statusCode === 200) return incoming;
  throw new RefusedOpening(await collect(incoming));
}

async function collect(incoming: IncomingMessage): Promise<SocketAnswer> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return { status: incoming.statusCode ?? 0, body: chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks) };
}

function tooLate(path: string, timeout: number): WrkstError {
  return new WrkstError("ERR_TIMEOUT", `the runtime did not answer "${path}" within ${timeout} ms`);
}

function broken(path: string, cause: Error): WrkstError {
  return new WrkstError("ERR_RUNTIME", `the runtime broke off "${path}": ${cause.message}`, { cause });
}
