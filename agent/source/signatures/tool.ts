// Runs ssh-keygen and gpg: no shell, nothing of the agent's environment but PATH, bounded in time and output, the whole
// process group ended. The files they need lie in a folder of their own that goes with the call.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WrkstError } from "../../errors.js";
import { type BaseEnvironment, endGroup, gitEnvironment, spawnGroup } from "../git.js";

export interface ToolRun {
  command: "ssh-keygen" | "gpg";
  args: readonly string[];
  /** What it reads from its input. */
  input?: Buffer;
}

export interface ToolResult {
  /** null: ended by a signal. */
  code: number | null;
  stdout: string;
  stderr: string;
  /** What it wrote to file descriptor 3. */
  status: string;
}

export interface Tools {
  /** @throws WrkstError ERR_TIMEOUT, ERR_GIT when it cannot be started; the signal's reason. */
  run(call: ToolRun, signal: AbortSignal): Promise<ToolResult>;
}

export interface ToolOptions {
  environment?: BaseEnvironment | undefined;
  /** Milliseconds of one run. */
  timeout?: number;
}

const OUTPUT_LIMIT = 256 * 1024;
const TIMEOUT = 10_000;

export const INSTALL_HINTS = {
  "ssh-keygen": "install OpenSSH 8.9 or newer (package openssh-client) and see that ssh-keygen is in PATH",
  gpg: "install GnuPG 2.2 or newer (package gpg or gnupg) and see that gpg is in PATH",
} as const;

export function openTools({ environment, timeout = TIMEOUT }: ToolOptions = {}): Tools {
  // Times of an allowed-signers file without a zone are UTC on every machine.
  const env = { PATH: gitEnvironment(environment).PATH ?? "", HOME: "/nonexistent", LC_ALL: "C", TZ: "UTC" };
  return {
    async run({ command, args, input }, signal) {
      signal.throwIfAborted();
      const child = spawnGroup(command, args, { env, stdio: ["pipe", "pipe", "pipe", "pipe"] });
      const outputs = [child.stdout, child.stderr, child.stdio[3]].map((stream) =>
        collect(stream as NodeJS.ReadableStream, () => endGroup(child)),
      );
      child.stdin?.on("error", () => {});
      child.stdin?.end(input);
      let late = false;
      const timer = setTimeout(() => {
        late = true;
        endGroup(child);
      }, timeout);
      const abort = () => endGroup(child);
      signal.addEventListener("abort", abort, { once: true });
      try {
        const code = await new Promise<number | null>((resolve, reject) => {
          child.on("error", (cause) => reject(missing(command, cause)));
          child.on("close", resolve);
        });
        signal.throwIfAborted();
        if (late) throw new WrkstError("ERR_TIMEOUT", `"${command}" took longer than ${timeout / 1000} s`);
        const [stdout = "", stderr = "", status = ""] = outputs.map((text) => text());
        return { code, stdout, stderr, status };
      } finally {
        clearTimeout(timer);
        signal.removeEventListener("abort", abort);
      }
    },
  };
}

/** Runs the work with a new folder that nobody else can look into. */
export async function withFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "wrkst-verify-"));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function missing(command: ToolRun["command"], cause: unknown): WrkstError {
  return new WrkstError("ERR_GIT", `"${command}" cannot be started, so that signatures cannot be checked`, {
    hint: INSTALL_HINTS[command],
    cause,
  });
}

function collect(stream: NodeJS.ReadableStream, over: () => void): () => string {
  const chunks: Buffer[] = [];
  let size = 0;
  stream.on("error", () => {});
  stream.on("data", (chunk: Buffer) => {
    size += chunk.length;
    if (size > OUTPUT_LIMIT) over();
    else chunks.push(chunk);
  });
  return () => Buffer.concat(chunks).toString("utf8");
}
