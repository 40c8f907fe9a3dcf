// The agent's calls about databases (D1_CONTROL in runtime/d1/wire.ts), to the process that holds them. Never repeated: a call may
// have been done before an answer came.
import type { Readable } from "node:stream";
import {
  D1_CONTROL,
  type D1Call,
  type D1CallAnswer,
  type D1Dump,
  type D1Held,
  type D1Script,
  type D1ScriptAnswer,
  type D1Stats,
} from "../../runtime/d1/wire.js";
import { WrkstError } from "../errors.js";
import { RefusedOpening, type SocketClient } from "./socket-client.js";

/** All throw ERR_RUNTIME when the process ends meanwhile or refuses, ERR_TIMEOUT when there is no answer. */
export interface D1Calls {
  call(call: D1Call): Promise<D1CallAnswer>;
  script(script: D1Script): Promise<D1ScriptAnswer>;
  /** SQL text as it is made; errors when it could not be made whole. ERR_SQL where there is what cannot be written as SQL. */
  dump(dump: D1Dump): Promise<Readable>;
  /** By name. From then on they refuse everything, for as long as the process lives. */
  retire(objects: string[]): Promise<void>;
  /** From now on functions are refused, or no longer. */
  pause(objects: string[], on: boolean): Promise<void>;
  /** What may write to the object waits, or no longer. Answers what is the same for as long as nothing was written. */
  hold(object: string, on: boolean): Promise<string>;
  /** All calls of the object go to the other one from now on, for as long as the process lives. */
  succeed(object: string, by: string): Promise<void>;
  /** What happened since the call before. */
  stats(): Promise<D1Stats>;
}

const TIMEOUT = 60_000;

export function d1Calls(client: SocketClient): D1Calls {
  const headers = { "content-type": "application/json" };
  const ask = async (path: string, body?: unknown) => {
    const text = body === undefined ? {} : { body: JSON.stringify(body), headers };
    const answer = await client.send({ path, timeout: TIMEOUT, ...text });
    if (answer.status === 200) return JSON.parse(answer.body.toString());
    const words = answer.body.toString().slice(0, 500);
    throw new WrkstError("ERR_RUNTIME", `the runtime refused "${path}" with ${answer.status}: ${words}`);
  };
  return {
    call: (call) => ask(D1_CONTROL.call, call),
    script: (script) => ask(D1_CONTROL.script, script),
    async dump(dump) {
      const request = { path: D1_CONTROL.dump, body: JSON.stringify(dump), headers, timeout: TIMEOUT };
      return client.open(request).catch((error: Error) => {
        const { cause } = error;
        if (!(cause instanceof RefusedOpening) || cause.status !== 422) throw error;
        throw new WrkstError("ERR_SQL", (JSON.parse(cause.text) as { error: string }).error);
      });
    },
    retire: async (objects) => void (await ask(D1_CONTROL.retire, { objects })),
    pause: async (objects, on) => void (await ask(D1_CONTROL.pause, { objects, on })),
    hold: async (object, on) => ((await ask(D1_CONTROL.hold, { object, on })) as D1Held).state,
    succeed: async (object, by) => void (await ask(D1_CONTROL.succeed, { object, by })),
    stats: () => ask(D1_CONTROL.stats),
  };
}
