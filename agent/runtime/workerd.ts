// One workerd process, from start to end. Nothing of it outlives `ended`, and none of the agent's environment reaches it.
import { type ChildProcess, spawn } from "node:child_process";
import { realpathSync, rmSync } from "node:fs";
import type { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import workerdPackage from "workerd";
import { WrkstError } from "../errors.js";
import { identityOf, residentBytes, signalGroup } from "./identity.js";
import { readLines } from "./lines.js";
import { OWNER_VARIABLE, writeRecord } from "./lock.js";

export interface WorkerdOptions {
  /** The data folder that owns the process. */
  dataDir: string;
  /** Path of the capnp file. */
  configFile: string;
  /** Working folder: relative paths of the configuration start here. */
  folder: string;
  /** Sockets that must listen before it counts as started. */
  sockets: string[];
  /** Address and port of the socket `public`, for a failure to be understood. */
  publicAddress?: string | undefined;
  binary?: string | undefined;
  arguments?: string[] | undefined;
  /** For what must come from outside, e.g. SSL_CERT_FILE. Nothing is inherited. */
  environment?: Record<string, string> | undefined;
  onLine(stream: "stdout" | "stderr", line: string): void;
}

/** How a process ended. */
export interface Ending {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** The first lines it wrote to stderr before it listened, the last after. */
  lastWords: string[];
}

export interface Workerd {
  readonly pid: number;
  /** Port by name of the socket; 0 for unix sockets. */
  readonly ports: Record<string, number>;
  /** Resolves once all sockets listen; rejects with ERR_RUNTIME when it ends before. */
  readonly listening: Promise<void>;
  /** Resolves once it is gone and all it wrote has been read. Never rejects. */
  readonly ended: Promise<Ending>;
  /** Bytes; undefined when it is gone. */
  residentBytes(): number | undefined;
  /** Asks it to finish what is in flight, and kills it after the grace (milliseconds). */
  stop(grace: number): Promise<Ending>;
  /** SIGKILL to the whole group, at once. */
  kill(): void;
}

const LAST_WORDS = 20;

export function startWorkerd(options: WorkerdOptions): Workerd {
  const child = spawn(
    options.binary ?? workerdPackage.default,
    ["serve", "--experimental", "--control-fd=3", ...(options.arguments ?? []), options.configFile],
    {
      cwd: options.folder,
      detached: true,
      stdio: ["ignore", "pipe", "pipe", "pipe"],
      env: { TZ: "UTC", ...options.environment, [OWNER_VARIABLE]: realpathSync(options.dataDir) },
    },
  );
  const pid = child.pid ?? 0;
  const identity = pid ? identityOf(pid) : undefined;
  const record = identity && writeRecord(options.dataDir, identity);
  const ports: Record<string, number> = {};
  const lastWords: string[] = [];
  readLines(child.stdout as Readable, (line) => options.onLine("stdout", line));
  readLines(child.stderr as Readable, (line) => {
    lastWords.push(line);
    if (lastWords.length > LAST_WORDS) lastWords.shift();
    options.onLine("stderr", line);
  });
  const kill = () => {
    if (pid && child.exitCode === null && child.signalCode === null) signalGroup(pid, "SIGKILL");
  };
  process.on("exit", kill);
  const ended = endOf(child, lastWords).then((ending) => {
    process.off("exit", kill);
    if (record) rmSync(record, { force: true });
    return ending;
  });
  return {
    pid,
    ports,
    listening: listeningOf({ child, options, ports, ended }),
    ended,
    residentBytes: () => residentBytes(pid),
    kill,
    async stop(grace) {
      child.kill("SIGTERM");
      const timer = new AbortController();
      await Promise.race([ended, delay(grace, undefined, { signal: timer.signal }).catch(() => {})]);
      timer.abort();
      kill();
      return ended;
    },
  };
}

/** Why it ended, from its last words; for people. */
export function describeEnding({ code, signal, lastWords }: Ending): string {
  const words = lastWords.find((line) => line.trim())?.trim();
  const how = signal ? `by ${signal}` : `with code ${code}`;
  return words ? `workerd ended ${how}: ${words.slice(0, 500)}` : `workerd ended ${how}`;
}

/** Whether it ended because memory ran out, as far as it said so. */
export function ranOutOfMemory({ lastWords }: Ending): boolean {
  return lastWords.some((line) => /out of memory|OOM|allocation failed/i.test(line));
}

function endOf(child: ChildProcess, lastWords: string[]): Promise<Ending> {
  return new Promise((resolve) => {
    child.on("error", (error) => {
      lastWords.push(error.message);
      if (child.pid === undefined) resolve({ code: null, signal: null, lastWords });
    });
    child.on("close", (code, signal) => resolve({ code, signal, lastWords }));
  });
}

function listeningOf(parts: {
  child: ChildProcess;
  options: WorkerdOptions;
  ports: Record<string, number>;
  ended: Promise<Ending>;
}): Promise<void> {
  const { child, options, ports, ended } = parts;
  const listening = new Promise<void>((resolve, reject) => {
    readLines(child.stdio[3] as Readable, (line) => {
      const message = JSON.parse(line) as { event: string; socket: string; port: number };
      if (message.event !== "listen") return;
      ports[message.socket] = message.port;
      if (options.sockets.every((name) => name in ports)) resolve();
    });
    ended.then((ending) => reject(startFailure(ending, options.publicAddress)));
  });
  // Whoever never waits for the start must not be told of its failure as an unhandled rejection.
  listening.catch(() => {});
  return listening;
}

function startFailure(ending: Ending, address: string | undefined): WrkstError {
  const words = ending.lastWords.join("\n");
  const bind = /Socket "([^"]*)": bind\(\): (Address already in use|Permission denied)/.exec(words);
  if (bind?.[1] === "public") {
    const where = address === undefined ? "the public port" : `the public port, "${address}"`;
    return new WrkstError("ERR_RUNTIME", `workerd cannot listen on ${where}: ${bind[2]?.toLowerCase()}`, {
      hint: "stop the program that has it (see: ss -ltnp), or choose another port, e.g. PORT=8081 npm start",
    });
  }
  return new WrkstError("ERR_RUNTIME", `workerd did not start: ${describeEnding(ending)}`);
}
