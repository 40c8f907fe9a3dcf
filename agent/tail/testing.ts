// Values for the tests of this folder.
import type { Invocation, TailLine } from "../../runtime/wire.js";
import type { TailEvent } from "../model.js";

export const VERSION = "11111111-0000-8000-8000-000000000000";

export function tailEvent(more: Partial<TailEvent> = {}): TailEvent {
  return {
    ...{ scriptName: "hello", scriptVersion: { id: VERSION }, outcome: "ok", eventTimestamp: 1_000 },
    event: {
      request: {
        url: "http://hello.localhost/a?b=c",
        method: "GET",
        headers: { "x-color": "blue", "cf-connecting-ip": "192.0.2.7" },
        cf: {},
      },
      response: { status: 200 },
    },
    ...{ logs: [], exceptions: [], ...more },
  };
}

/** What the runtime tells of one invocation. */
export function invocationLine(more: Partial<Invocation> = {}, name = "hello"): TailLine {
  const { event } = tailEvent();
  const invocation = { outcome: "ok", at: 1_000, logs: [], exceptions: [], event, ...more } as Invocation;
  return { kind: "invocation", function: name, version: VERSION, invocation };
}
