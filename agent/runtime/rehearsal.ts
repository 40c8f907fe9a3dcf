// Lends the process in which SQL is tried out: to one at a time, started when it is first needed and kept for a while.
import { join } from "node:path";
import { WrkstError } from "../errors.js";
import { createGate } from "./gate.js";
import {
  type RehearsalProcess,
  type RehearsalProcessOptions,
  type Rehearsed,
  startRehearsalProcess,
} from "./rehearsal-process.js";

export type { Rehearsed };
export type Rehearsal = Pick<RehearsalProcess, "folder" | "script">;

export interface Rehearsals {
  /**
   * Has the process alone until the work settles. @throws the reason of the signal when that aborts before its turn,
   * ERR_RUNTIME when the process does not work, ERR_SUPERSEDED when all is closed
   */
  hold<T>(signal: AbortSignal, work: (rehearsal: Rehearsal) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export interface RehearsalsOptions extends Omit<RehearsalProcessOptions, "limits" | "folder"> {
  /** Folders of processes are made in it, under the name. */
  temporary: string;
  /** RUNTIME_HANG_TIMEOUT in milliseconds: what runs where everybody waits for it may take a share of that. */
  hangTimeout: number;
  /** Milliseconds that a process without work is kept. */
  idle?: number;
}

/** As with versions that load: the watch must see signs of life between two scripts also on a busy machine. */
const SHARE_OF_HANG = 1 / 3;
const MEMORY = 512 * 2 ** 20;

export function openRehearsals({ temporary, hangTimeout, idle = 30_000, ...options }: RehearsalsOptions): Rehearsals {
  const limits = { milliseconds: Math.round(hangTimeout * SHARE_OF_HANG), memoryBytes: MEMORY };
  const gate = createGate(1);
  const closing = new AbortController();
  let present: RehearsalProcess | undefined;
  let ending: Promise<void> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;
  let count = 0;

  /** It is nobody's from now on; the next one is started when it is gone. */
  function end(): void {
    clearTimeout(timer);
    if (present) ending = present.close();
    present = undefined;
  }

  async function living(): Promise<RehearsalProcess> {
    clearTimeout(timer);
    if (present?.isOver) end();
    await ending;
    present ??= await startRehearsalProcess({
      ...options,
      limits,
      folder: join(temporary, `${options.name}-${++count}`),
    });
    return present;
  }

  return {
    hold: (signal, work) =>
      gate.pass(AbortSignal.any([signal, closing.signal]), async () => {
        try {
          const process = await living();
          closing.signal.throwIfAborted();
          return await work({
            folder: process.folder,
            script: (script, milliseconds) =>
              process.script(script, milliseconds).finally(() => closing.signal.throwIfAborted()),
          });
        } finally {
          if (closing.signal.aborted || present?.isOver) {
            end();
            await ending;
          } else timer = setTimeout(end, idle).unref();
        }
      }),
    async close() {
      closing.abort(new WrkstError("ERR_SUPERSEDED", "the agent is stopping"));
      end();
      // One that was about to start is ended by whoever wanted it.
      await gate.pass(new AbortController().signal, () => ending);
    },
  };
}
