// Requests one after the other on one connection that is kept open: what a browser or a proxy in front has.
import { Agent, request } from "node:http";

export interface Client {
  /** Rejects when the connection breaks or no answer came within the time (milliseconds). */
  get(host: string, options?: GetOptions): Promise<{ status: number; text: string; milliseconds: number }>;
  close(): void;
}

export interface GetOptions {
  path?: string;
  timeout?: number;
}

export function openClient(port: number): Client {
  const agent = new Agent({ keepAlive: true, maxSockets: 1, noDelay: true });
  return { get: (host, options = {}) => get(agent, port, host, options), close: () => agent.destroy() };
}

function get(agent: Agent, port: number, host: string, { path = "/", timeout = 30_000 }: GetOptions) {
  return new Promise<{ status: number; text: string; milliseconds: number }>((resolve, reject) => {
    const start = performance.now();
    const outgoing = request({ agent, host: "127.0.0.1", port, path, headers: { host } }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk) => {
        text += chunk;
      });
      response.on("error", fail);
      response.on("end", () => {
        clearTimeout(timer);
        resolve({ status: response.statusCode ?? 0, text, milliseconds: performance.now() - start });
      });
    });
    const timer = setTimeout(() => outgoing.destroy(new Error(`no answer within ${timeout} ms`)), timeout);
    function fail(error: Error) {
      clearTimeout(timer);
      reject(error);
    }
    outgoing.on("error", fail);
    outgoing.end();
  });
}
