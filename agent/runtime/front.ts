// The front of the serving runtime: what it is given, what it tells, what can be asked of it. Types only.
import type {
  PrepareRequest,
  PrepareResult,
  RouteChange,
  RouteTable,
  RuntimeCounts,
  RuntimeFigures,
  RuntimeState,
  TailLine,
} from "../../runtime/wire.js";
import type { RuntimeStatus } from "../model.js";
import type { D1Calls } from "./databases.js";
import type { Log } from "./runtime-log.js";

/** Something that a person may want to know; `kind` is noun.verb, as in PlatformEvent. */
export interface RuntimeEvent {
  kind:
    | "runtime.started"
    | "runtime.stopped"
    | "runtime.crashed"
    | "runtime.hung"
    | "runtime.memory"
    | "runtime.start-failed"
    | "runtime.culprit"
    | "runtime.suspects"
    | "runtime.cleared";
  message: string;
  /** Functions; exactly one with `runtime.culprit`, which is to be quarantined. */
  suspects?: string[];
}

/** `crash`: it ended by itself, or was ended from outside. */
export type RestartReason = "crash" | "hang" | "long-call" | "memory";

export interface RuntimeOptions {
  dataDir: string;
  /** Folder for unix sockets, see `openRunFolder`. workerd listens on `control.sock` in it. */
  runDir: string;
  /** Text of the capnp configuration, or the absolute path of a file with it. Called before every start. With a key, the
   * router must trace from its first request on (`RouterSettings.traceKey`). `wards` is for the settings too; with
   * `ward`, it is the configuration of that ward, whose sockets are those of `wardSockets`. */
  writeConfig(start: { traceKey?: string; wards?: Record<string, number>; ward?: number }): Promise<string>;
  /** Processes for suspects, at most `WARDS`; default none: suspects are then only told. */
  wards?: number;
  /** Called before every start: brings `routes/table.json` up to date. */
  beforeStart(): Promise<void>;
  /** Names of all functions: what is unloaded when memory runs short. */
  functionNames?(): string[];
  binary?: string;
  /** Milliseconds without an answer after which it is killed. */
  hangTimeout: number;
  /** Bytes of resident memory above which functions are unloaded, then the process replaced. */
  memoryLimit: number;
  /** Milliseconds that requests in flight have when it is stopped; default 5,000. */
  grace?: number;
  /** Names of the sockets in the configuration; default `public` and `control`. */
  sockets?: string[];
  /** Address and port on which functions are served, for messages. */
  publicAddress?: string;
  /** The environment of the process; nothing of the agent's is inherited. */
  environment?: Record<string, string>;
  log: Log;
  onEvent(event: RuntimeEvent): void;
  /** What functions say and throw, one line after the other. Must not reject. */
  onTailLine?(line: TailLine): Promise<void>;
  now?: () => number;
}

/**
 * Control calls wait while the runtime is being restarted, and are repeated once when it ended before it answered. They
 * throw ERR_RUNTIME when it does not come back in time, ERR_TIMEOUT when it does not answer.
 */
export interface Runtime {
  /** Resolves when it serves. A failure of the first start is thrown (ERR_RUNTIME), and nothing is left running. */
  start(): Promise<void>;
  /** Ends it for good; resolves when nothing is left running. */
  stop(): Promise<void>;
  status(): RuntimeStatus;
  /** How often another process has taken the place of one that ended, by why that ended. */
  restarts(): Record<RestartReason, number>;
  /** Whether it serves at this moment. */
  isRunning(): boolean;
  /** Port by name of the socket in the configuration. */
  ports(): Record<string, number>;
  state(): Promise<RuntimeState>;
  /** Of each process that serves, those for suspects included; throws where the first one does not answer at once. */
  counts(timeout: number): Promise<RuntimeCounts[]>;
  /** Of the watched versions of these functions, from each process; throws as `counts` does. */
  figures(functions: string[], timeout: number): Promise<RuntimeFigures[]>;
  /** "out-of-step": send the whole table. */
  change(change: RouteChange): Promise<{ generation: number } | "out-of-step">;
  replace(table: RouteTable): Promise<{ generation: number }>;
  /** Never repeated: one of the versions may be why the runtime ended. */
  prepare(request: PrepareRequest): Promise<PrepareResult>;
  /** Switches reports of entry and exit on or off, until the next start. */
  trace(on: boolean): Promise<void>;
  evict(functions: string[]): Promise<void>;
  /** From now on every invocation of these functions is told. Resolves when it is so; never rejects, and holds for later
   * processes too. */
  listen(functions: string[]): Promise<void>;
  /** About databases; these are never repeated. */
  readonly d1: D1Calls;
}
