// One process for functions under suspicion: the same router and the same routes as the serving process, which hands it
// their requests over a unix socket. Whoever freezes it harms nobody but those whom it holds.
import { rm } from "node:fs/promises";
import { WrkstError } from "../errors.js";
import { type Control, openControl } from "./control.js";
import type { RuntimeOptions } from "./front.js";
import { isAbort, placeConfig } from "./life.js";
import { within } from "./patience.js";
import { wardSockets } from "./run-folder.js";
import { createRuntimeLog } from "./runtime-log.js";
import { createWatch } from "./watch.js";
import { startWorkerd } from "./workerd.js";

export interface Ward {
  /** All functions that could have run in it; when it freezes, one of them did that. */
  readonly holds: readonly string[];
  readonly control: Control;
  /** Ends it: what it holds changes. */
  kill(): void;
  /** "frozen" also when it ran out of memory. Never rejects. */
  readonly ended: Promise<"frozen" | "over">;
}

/** A ward may use this share of what the serving process may. */
const SHARE_OF_MEMORY = 1 / 4;
const START_LIMIT = 60_000;

/** Resolves once it answers; otherwise throws, with nothing left running. */
export async function startWard(options: RuntimeOptions, number: number, holds: readonly string[]): Promise<Ward> {
  const { requests, control: controlSocket } = wardSockets(options.runDir, number);
  await Promise.all([rm(requests, { force: true }), rm(controlSocket, { force: true })]);
  const config = await options.writeConfig({ ward: number });
  const lines = createRuntimeLog({ log: options.log, process: `ward-${number}`, now: options.now ?? Date.now });
  const workerd = startWorkerd({
    dataDir: options.dataDir,
    configFile: await placeConfig(options, `ward-${number}`, config),
    folder: options.runDir,
    sockets: options.sockets ?? ["public", "control"],
    binary: options.binary,
    environment: options.environment,
    onLine: lines.line,
  });
  const control = openControl({ socketPath: controlSocket, timeout: options.hangTimeout * 4 });
  let isFrozen = false;
  let isUnwanted = false;
  const freeze = () => {
    isFrozen = true;
    workerd.kill();
  };
  const watch = createWatch({
    interval: options.hangTimeout / 6,
    limit: options.hangTimeout,
    ping: async () => void (await control.state(options.hangTimeout * 4)),
    onSilent: freeze,
    onTick: () => {
      if ((workerd.residentBytes() ?? 0) > options.memoryLimit * SHARE_OF_MEMORY) freeze();
    },
  });
  const ended = workerd.ended.then((ending) => {
    watch.stop();
    control.close();
    lines.flush();
    return !isUnwanted && (isFrozen || isAbort(ending)) ? "frozen" : "over";
  });
  try {
    await within(workerd.listening, START_LIMIT, () => new WrkstError("ERR_RUNTIME", "the ward did not start in time"));
  } catch (error) {
    workerd.kill();
    await ended;
    throw error;
  }
  watch.start();
  return {
    holds,
    control,
    ended,
    kill() {
      // A freeze that was noticed already stays one.
      if (!isFrozen) isUnwanted = true;
      workerd.kill();
    },
  };
}
