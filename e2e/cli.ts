// The built command as its users run it: a process of its own, with a folder to stand in and a home that is its own.
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { until } from "./harness.js";

const WRKST = fileURLToPath(new URL("../../cli/dist/wrkst.cjs", import.meta.url));

export interface CliResult {
  code: number | null;
  out: string;
  err: string;
}

export interface RunningCli {
  out(): string;
  err(): string;
  /** Waits until it has said so on stdout or stderr; answers what matched. */
  said(pattern: RegExp): Promise<RegExpExecArray>;
  interrupt(): void;
  ended(): Promise<CliResult>;
}

export interface Cli {
  /** Where it stands. */
  readonly folder: string;
  /** Writes files into its folder. */
  write(files: Record<string, string>): Promise<void>;
  run(args: string[], more?: CliOptions): Promise<CliResult>;
  start(args: string[], more?: CliOptions): RunningCli;
  /** Runs with `--json`, and expects success. */
  json<T>(args: string[], more?: CliOptions): Promise<T>;
  remove(): Promise<void>;
}

export interface CliOptions {
  input?: string;
  env?: Record<string, string>;
}

export async function createCli(env: Record<string, string>): Promise<Cli> {
  const folder = await mkdtemp(join(tmpdir(), "wrkst-cli-e2e-"));
  const start = (args: string[], more: CliOptions = {}): RunningCli => {
    const own = { PATH: process.env.PATH ?? "", HOME: join(folder, "home"), ...env, ...more.env };
    const child = spawn(process.execPath, [WRKST, ...args], { cwd: folder, env: own });
    child.stdin.end(more.input ?? "");
    return follow(child);
  };
  const run = (args: string[], more?: CliOptions) => start(args, more).ended();
  return {
    folder,
    start,
    run,
    async json<T>(args: string[], more?: CliOptions) {
      const { code, out, err } = await run([...args, "--json"], more);
      if (code !== 0) throw new Error(`wrkst ${args.join(" ")} ended with ${code}: ${err}`);
      return JSON.parse(out) as T;
    },
    async write(files) {
      for (const [path, content] of Object.entries(files)) {
        await mkdir(dirname(join(folder, path)), { recursive: true });
        await writeFile(join(folder, path), content);
      }
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

function follow(child: ChildProcessWithoutNullStreams): RunningCli {
  let [out, err] = ["", ""];
  child.stdout.on("data", (chunk) => {
    out += chunk;
  });
  child.stderr.on("data", (chunk) => {
    err += chunk;
  });
  const closed = once(child, "close").then(([code]) => ({ code: code as number | null, out, err }));
  return {
    out: () => out,
    err: () => err,
    interrupt: () => void child.kill("SIGINT"),
    ended: () => closed,
    async said(pattern) {
      const find = () => pattern.exec(out) ?? pattern.exec(err);
      await until(`the command says ${pattern}`, () => {
        if (child.exitCode !== null && !find()) throw new Error(`ended with ${child.exitCode}: ${err}`);
        return find() !== null;
      });
      return find()!;
    },
  };
}
