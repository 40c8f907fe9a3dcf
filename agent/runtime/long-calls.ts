// The agent's calls about databases, to whichever process serves. They may keep the process busy for longer than a function
// ever may: while it runs statements of such a call, as the process tells before it does, the watch is patient. Never
// for ever, and never with anything else that goes on beside the call.
import type { D1Calls } from "./databases.js";
import type { Life } from "./life.js";

/** Milliseconds that a call may keep the process from answering; `hangTimeout`: that a function may. */
export function longCallLimit(hangTimeout: number): number {
  return Math.max(hangTimeout, Math.min(2 * hangTimeout, 10_000));
}

/** Whether statements of such a call, and nothing else, keep the process busy. */
export function isInLongCall({ longCalls, inFlight }: Life): boolean {
  return longCalls > 0 && inFlight.senders()?.length === 0;
}

export function createLongCalls(living: () => Promise<Life>): D1Calls {
  async function patiently<T>(work: (calls: D1Calls) => Promise<T>): Promise<T> {
    const life = await living();
    await life.control.trace({ on: life.tracing, key: life.traceKey });
    life.longCalls++;
    try {
      return await work(life.control.d1);
    } finally {
      life.longCalls--;
      life.onAnswer();
    }
  }
  const quickly = async <T>(work: (calls: D1Calls) => Promise<T>) => work((await living()).control.d1);
  return {
    call: (call) => patiently((d1) => d1.call(call)),
    // What counts for a function has no more time than the function.
    script: (script) => (script.sender === undefined ? patiently : quickly)((d1) => d1.script(script)),
    dump: (dump) => patiently((d1) => d1.dump(dump)),
    retire: (objects) => quickly((d1) => d1.retire(objects)),
    pause: (objects, on) => quickly((d1) => d1.pause(objects, on)),
    hold: (object, on) => quickly((d1) => d1.hold(object, on)),
    succeed: (object, by) => quickly((d1) => d1.succeed(object, by)),
    stats: () => quickly((d1) => d1.stats()),
  };
}
