// Every git process of the agent is started here or with the constants of this file. Never a shell, never a prompt, no configuration but ours.

import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { type SimpleGit, type SimpleGitOptions, simpleGit } from "simple-git";
import { type ErrorCode, WrkstError } from "../errors.js";
import { printable } from "./remote.js";

/** Environment of the agent from which git may see the few names below; the default has only a PATH. */
export type BaseEnvironment = Readonly<Record<string, string | undefined>>;

const PASSED_ON = [
  "PATH",
  "TMPDIR",
  "HTTP_PROXY",
  "HTTPS_PROXY",
  "ALL_PROXY",
  "NO_PROXY",
  "http_proxy",
  "https_proxy",
  "all_proxy",
  "no_proxy",
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
  "GIT_SSL_CAINFO",
];
const DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin";

/** Settings of every git process, whatever a repository's own configuration says. */
export const CONSTANT_CONFIG: readonly string[] = [
  "core.hooksPath=/dev/null",
  "core.fsmonitor=false",
  "core.symlinks=false",
  "credential.helper=",
  "transfer.fsckObjects=true",
  // Defects that old histories really have and that harm nobody; everything else that fsck finds is refused.
  ...["zeroPaddedFilemode", "badTimezone", "missingSpaceBeforeDate", "missingSpaceBeforeEmail"].flatMap((id) => [
    `fetch.fsck.${id}=ignore`,
    `receive.fsck.${id}=ignore`,
  ]),
  "fetch.recurseSubmodules=false",
  "submodule.recurse=false",
  "gc.auto=0",
  "maintenance.auto=false",
  "protocol.version=2",
  "http.lowSpeedLimit=1000",
  "http.lowSpeedTime=30",
];

/** What the constants need of simple-git's protection; everything else stays on. */
export const UNSAFE_FLAGS = {
  allowUnsafeConfigPaths: true, // GIT_CONFIG_GLOBAL=/dev/null
  allowUnsafeCredentialHelper: true, // credential.helper= (none)
  allowUnsafeFsMonitor: true, // core.fsmonitor=false
  allowUnsafeHooksPath: true, // core.hooksPath=/dev/null
  allowUnsafeTemplateDir: true, // init --template= (none)
} as const satisfies SimpleGitOptions["unsafe"];

/** The whole environment of a git process: nothing of the agent's own leaks in. */
export function gitEnvironment(base: BaseEnvironment = {}, extra: Record<string, string> = {}): Record<string, string> {
  const passed = PASSED_ON.flatMap((name) => (base[name] ? [[name, base[name]] as const] : []));
  return {
    PATH: DEFAULT_PATH,
    ...Object.fromEntries(passed),
    HOME: "/dev/null",
    LC_ALL: "C",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_TERMINAL_PROMPT: "0",
    GIT_ALLOW_PROTOCOL: "https:ssh",
    GIT_NO_REPLACE_OBJECTS: "1",
    GIT_OPTIONAL_LOCKS: "0",
    ...extra,
  };
}

/** A simple-git client for short local commands in `dir`. */
export function openGit(dir: string, base?: BaseEnvironment, extra?: Record<string, string>): SimpleGit {
  return simpleGit({
    baseDir: dir,
    config: [...CONSTANT_CONFIG],
    unsafe: UNSAFE_FLAGS,
    timeout: { block: 60_000 },
    completion: { onClose: true, onExit: false },
  }).env(gitEnvironment(base, extra));
}

/** Creates an empty bare repository, without the hooks and examples of git's templates. */
export async function createBare(dir: string, environment: BaseEnvironment | undefined): Promise<void> {
  await mkdir(dirname(dir), { recursive: true });
  const args = ["init", "--quiet", "--bare", "--template=", "--initial-branch=main", dir];
  await openGit(dirname(dir), environment)
    .raw(args)
    .catch((error: unknown) => {
      throw gitError("creating a mirror", error);
    });
}

/** Arguments before the command: repository and settings. */
export function gitArguments(gitDir: string, config: readonly string[] = []): string[] {
  return [`--git-dir=${gitDir}`, ...[...CONSTANT_CONFIG, ...config].flatMap((setting) => ["-c", setting])];
}

export interface RunOptions {
  gitDir: string;
  /** What is done, for messages: `fetch from "https://…"`. */
  what: string;
  environment: Record<string, string>;
  config?: readonly string[];
  secrets?: readonly string[];
  signal?: AbortSignal | undefined;
  /** Milliseconds until the whole process group is killed. */
  timeout?: number;
}

const OUTPUT_LIMIT = 16 * 1024 * 1024;

/**
 * Runs one git command to its end in a process group of its own and returns what it printed. For what talks to a remote:
 * simple-git cannot end the helpers that git starts.
 *
 * @throws WrkstError of the class that git's words tell, redacted; the signal's reason when it was aborted.
 */
export async function runGit(args: readonly string[], options: RunOptions): Promise<string> {
  options.signal?.throwIfAborted();
  const child = spawnGroup("git", [...gitArguments(options.gitDir, options.config), ...args], {
    env: options.environment,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const out = collect(child.stdout!, () => endGroup(child));
  const err = collect(child.stderr!, () => {});
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    endGroup(child);
  }, options.timeout ?? 60_000);
  const abort = () => endGroup(child);
  options.signal?.addEventListener("abort", abort, { once: true });
  try {
    const code = await exitOf(child);
    options.signal?.throwIfAborted();
    if (late)
      throw new WrkstError(
        "ERR_GIT_UNREACHABLE",
        `${options.what} took longer than ${(options.timeout ?? 60_000) / 1000} s`,
      );
    if (code !== 0) throw classify(options.what, err(), options.secrets);
    return out();
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener("abort", abort);
  }
}

/** Starts a process as leader of its own group. */
export function spawnGroup(command: string, args: readonly string[], options: SpawnOptions): ChildProcess {
  return spawn(command, args, { ...options, detached: true, windowsHide: true });
}

/** Ends a group: politely, so that git removes its locks and temporary files, then for good. */
export function endGroup(child: ChildProcess, grace = 1_000): void {
  signalGroup(child, "SIGTERM");
  const timer = setTimeout(() => signalGroup(child, "SIGKILL"), grace);
  timer.unref();
}

function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, signal);
  } catch {
    // The whole group is gone already.
  }
}

function exitOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.on("error", (cause) =>
      reject(
        new WrkstError("ERR_GIT", "git cannot be started", { hint: "install git and see that it is in PATH", cause }),
      ),
    );
    child.on("close", resolve);
  });
}

function collect(stream: NodeJS.ReadableStream, over: () => void): () => string {
  const chunks: Buffer[] = [];
  let size = 0;
  stream.on("data", (chunk: Buffer) => {
    size += chunk.length;
    if (size > OUTPUT_LIMIT) over();
    else chunks.push(chunk);
  });
  return () => Buffer.concat(chunks).toString("utf8");
}

interface Rule {
  pattern: RegExp;
  code: ErrorCode;
  hint?: string;
}

/** Read from top to bottom; git's words in the C locale. */
const RULES: readonly Rule[] = [
  {
    pattern: /no space left on device|disk quota exceeded|failed to write new configuration file|unable to write file/i,
    code: "ERR_GIT",
    hint: "make room on the disk of DATA_DIR",
  },
  {
    pattern: /fsck error|error in object:|is a tree object with|fsckObjects/i,
    code: "ERR_TREE_REFUSED",
    hint: "run `git fsck --strict` in the repository and rewrite the commit it names",
  },
  {
    pattern: /transport '.*' not allowed|strange (?:hostname|pathname)|dubious ownership|unsafe repository/i,
    code: "ERR_GIT_REFUSED",
  },
  {
    pattern: /host key verification failed/i,
    code: "ERR_GIT_AUTH",
    hint: "compare the host's key with the file of GIT_KNOWN_HOSTS_FILE",
  },
  {
    pattern:
      /authentication failed|could not read (?:username|password)|terminal prompts disabled|access denied|permission denied \(|returned error: 40[13]\b|invalid (?:username|credentials)/i,
    code: "ERR_GIT_AUTH",
    hint: "check GIT_TOKEN, GIT_USERNAME or GIT_SSH_KEY_FILE and what they may read",
  },
  { pattern: /couldn't find remote ref|remote branch .* not found/i, code: "ERR_GIT_NO_BRANCH" },
  {
    pattern:
      /could not resolve|connection (?:refused|reset|timed out|closed)|failed to connect|couldn't connect|unable to access|network is unreachable|no route to host|hung up|early eof|rpc failed|timed out|does not appear to be a git repository|not a git repository|could not read from remote|repository .* not found|returned error: \d|not valid: is this a git repository/i,
    code: "ERR_GIT_UNREACHABLE",
    hint: "check the address of the repository and that its host answers",
  },
];

/** What git said, as an error of ours: redacted, printable, with a code that tells what to do. */
export function classify(what: string, stderr: string, secrets: readonly string[] = []): WrkstError {
  const words = redact(stderr, secrets);
  const rule = RULES.find(({ pattern }) => pattern.test(words));
  return new WrkstError(rule?.code ?? "ERR_GIT", `${what} failed: ${essence(words)}`, { hint: rule?.hint });
}

/** Any error of simple-git, the same way. */
export function gitError(what: string, thrown: unknown, secrets: readonly string[] = []): WrkstError {
  if (thrown instanceof WrkstError) return thrown;
  return classify(what, thrown instanceof Error ? thrown.message : String(thrown), secrets);
}

/** Takes credentials out: those we know, and whatever stands before an `@` in a URL. */
export function redact(text: string, secrets: readonly string[] = []): string {
  const known = secrets
    .filter((secret) => secret !== "")
    .reduce((clean, secret) => clean.replaceAll(secret, "***"), text);
  return known.replace(/([a-z][a-z0-9+.-]*:\/\/)[^/@\s]*@/gi, "$1");
}

/** The line that says most: the first `fatal:` or `error:`, otherwise the last. */
function essence(words: string): string {
  const lines = words
    .split(/[\r\n]+/)
    .map((line) => line.trim())
    .filter((line) => line !== "");
  const best =
    lines.find((line) => /^(?:remote: )?(?:fatal|error):/i.test(line)) ?? lines.at(-1) ?? "git gave no reason";
  return printable(best.replace(/^(?:remote: )?(?:fatal|error): /i, ""));
}
