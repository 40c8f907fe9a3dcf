// The calls of runtime/wire.ts to the serving runtime, over its control socket. Knows nothing of processes.
import type { IncomingMessage } from "node:http";
import {
  CONTROL,
  type PrepareRequest,
  type PrepareResult,
  type RouteChange,
  type RouteTable,
  type RuntimeCounts,
  type RuntimeFigures,
  type RuntimeState,
  type TraceRequest,
} from "../../runtime/wire.js";
import { WrkstError } from "../errors.js";
import { type D1Calls, d1Calls } from "./databases.js";
import { openSocketClient } from "./socket-client.js";

export interface Control {
  state(timeout: number): Promise<RuntimeState>;
  counts(timeout: number): Promise<RuntimeCounts>;
  figures(functions: string[], timeout: number): Promise<RuntimeFigures>;
  /** "out-of-step": the runtime's table is not the one that the change starts from. */
  change(change: RouteChange): Promise<{ generation: number } | "out-of-step">;
  replace(table: RouteTable): Promise<{ generation: number }>;
  prepare(request: PrepareRequest): Promise<PrepareResult>;
  trace(request: TraceRequest): Promise<void>;
  evict(functions: string[]): Promise<void>;
  /** What functions say, line by line, until the answer ends or is destroyed. */
  tail(functions: string[]): Promise<IncomingMessage>;
  listen(functions: string[]): Promise<void>;
  /** Function → number of its ward. */
  wards(functions: Record<string, number>): Promise<void>;
  readonly d1: D1Calls;
  close(): void;
}

/** Every call throws ERR_RUNTIME when the connection breaks or the answer is no success, ERR_TIMEOUT when none comes. */
export function openControl(options: { socketPath: string; timeout: number }): Control {
  const client = openSocketClient(options.socketPath);
  const post = async (path: string, body: unknown, timeout = options.timeout) => {
    const headers = { "content-type": "application/json" };
    const answer = await client.send({ path, body: JSON.stringify(body), headers, timeout });
    return answer;
  };
  const ask = async (path: string, body: unknown) => read(path, await post(path, body));
  return {
    state: async (timeout) => read(CONTROL.state, await client.send({ path: CONTROL.state, timeout })) as RuntimeState,
    counts: async (timeout) =>
      read(CONTROL.counts, await client.send({ path: CONTROL.counts, timeout })) as RuntimeCounts,
    figures: async (functions, timeout) =>
      read(CONTROL.figures, await post(CONTROL.figures, { functions }, timeout)) as RuntimeFigures,
    async change(change) {
      const answer = await post(CONTROL.change, change);
      return answer.status === 409 ? "out-of-step" : (read(CONTROL.change, answer) as { generation: number });
    },
    replace: async (table) => (await ask(CONTROL.replace, table)) as { generation: number },
    prepare: async (request) => (await ask(CONTROL.prepare, request)) as PrepareResult,
    trace: async (request) => void (await ask(CONTROL.trace, request)),
    evict: async (functions) => void (await ask(CONTROL.evict, { functions })),
    async tail(functions) {
      const headers = { "content-type": "application/json" };
      return client.open({
        path: CONTROL.tail,
        body: JSON.stringify({ functions }),
        headers,
        timeout: options.timeout,
      });
    },
    listen: async (functions) => void (await ask(CONTROL.listen, { functions })),
    wards: async (functions) => void (await ask(CONTROL.wards, { functions })),
    d1: d1Calls(client),
    close: () => client.close(),
  };
}

function read(path: string, answer: { status: number; body: Buffer }): unknown {
  const text = answer.body.toString();
  if (answer.status < 200 || answer.status > 299) {
    throw new WrkstError("ERR_RUNTIME", `the runtime refused "${path}" with ${answer.status}: ${text.slice(0, 500)}`);
  }
  return text ? JSON.parse(text) : {};
}
