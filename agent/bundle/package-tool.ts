// Runs npm and pnpm for clean installs, with the operator's own settings (registry, proxies, certificates) and none of
// the repository's. Never runs a script of a package.

import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { WrkstError } from "../errors.js";
import { redact } from "./lockfile.js";

export interface ToolOptions {
  /** Command that is npm; default `["npm"]`, looked for in PATH. */
  npmCommand?: string[];
  /** Registry; default: what the operator's npm is configured with. */
  registry?: string;
  /** Environment of the tools; default: the agent's. */
  environment?: Record<string, string | undefined>;
  /** Milliseconds that an install may take. */
  timeout?: number;
}

/** The operator's settings that matter here. */
export interface RegistrySettings {
  registry: string;
  /** Hosts that packages may come from. */
  hosts: Set<string>;
  /** Settings for tools that do not read npm's files, as environment variables. */
  variables: Record<string, string>;
}

/** Hosts that lockfiles name whatever registry is used; npm puts the configured one in their place. */
const PUBLIC_HOSTS = ["registry.npmjs.org", "registry.yarnpkg.com"];
const PASSED_ON = ["cafile", "proxy", "https-proxy", "noproxy", "strict-ssl"];

/** Asks npm once how it is configured; `folder` is one that has no settings of its own. */
export async function readRegistrySettings(options: ToolOptions, folder: string): Promise<RegistrySettings> {
  const { code, stdout } = await runTool(
    { ...npmCall(options, ["config", "list", "--json", "--logs-max=0", "--no-update-notifier"]), cwd: folder },
    options,
  );
  const config = code === 0 ? parseSettings(stdout) : {};
  const registry =
    options.registry ?? (typeof config.registry === "string" ? config.registry : "https://registry.npmjs.org/");
  const scoped = Object.entries(config).flatMap(([key, value]) => (key.endsWith(":registry") ? [String(value)] : []));
  const hosts = [registry, ...scoped].filter((url) => URL.canParse(url)).map((url) => new URL(url).host);
  const passed = PASSED_ON.flatMap((key) => {
    const value = Array.isArray(config[key]) ? config[key].join(",") : config[key];
    const name = `npm_config_${key.replaceAll("-", "_")}`;
    return value === null || value === undefined || value === "" ? [] : [[name, String(value)] as const];
  });
  return {
    registry,
    hosts: new Set([...PUBLIC_HOSTS, ...hosts]),
    variables: { ...Object.fromEntries(passed), npm_config_registry: registry },
  };
}

function parseSettings(text: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(text));
  } catch {
    return {};
  }
}

export interface InstallCall {
  tool: "npm" | "pnpm";
  /** Holds the lockfile and the package.json files, and nothing else. */
  folder: string;
  /** Where the tools keep what they fetched. */
  cacheDir: string;
  settings: RegistrySettings;
  signal: AbortSignal;
}

/** Throws ERR_INSTALL_UNREACHABLE when the registry does not answer, otherwise ERR_INSTALL with the tool's own words. */
export async function runInstall(call: InstallCall, options: ToolOptions): Promise<void> {
  const { command, args } = call.tool === "npm" ? npmInstall(call, options) : pnpmInstall(call);
  const variables = { ...call.settings.variables, CI: "1" };
  const result = await runTool({ command, args, cwd: call.folder, variables, signal: call.signal }, options);
  call.signal.throwIfAborted();
  if (result.code === 0) return;
  throw installError(call, `${result.stdout}\n${result.stderr}`, result.code === "timeout");
}

function npmCall({ npmCommand = ["npm"] }: ToolOptions, args: string[]): { command: string; args: string[] } {
  const [command = "npm", ...first] = npmCommand;
  return { command, args: [...first, ...args] };
}

/** Few and short: a pass that failed is tried again with a backoff of its own. */
const RETRIES = ["--fetch-retries=1", "--fetch-retry-mintimeout=500", "--fetch-retry-maxtimeout=2000"];

function npmInstall({ folder, cacheDir, settings }: InstallCall, options: ToolOptions) {
  const fixed = ["--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund", "--no-progress", "--loglevel=error"];
  // No package is fetched by git: entries from git were refused, and should one slip through there is no git.
  const guards = ["--git=wrkst-refuses-git", "--install-links=false", "--package-lock=true", ...RETRIES];
  const places = [`--prefix=${folder}`, `--cache=${join(cacheDir, "npm")}`, `--registry=${settings.registry}`];
  return npmCall(options, ["ci", ...fixed, ...guards, ...places]);
}

function pnpmInstall({ cacheDir }: InstallCall) {
  // Its only export is its package.json.
  const pnpm = join(dirname(createRequire(import.meta.url).resolve("pnpm")), "bin/pnpm.cjs");
  const fixed = ["--frozen-lockfile", "--ignore-scripts", "--prod", "--ignore-pnpmfile", "--reporter=append-only"];
  // Hoisted, so that a package's place in node_modules is its only one, as with npm.
  const layout = ["--config.node-linker=hoisted", "--config.manage-package-manager-versions=false"];
  const places = [
    `--store-dir=${join(cacheDir, "pnpm")}`,
    "--config.package-import-method=copy",
    "--config.fetch-retries=1",
  ];
  return { command: process.execPath, args: [pnpm, "install", ...fixed, ...layout, ...places] };
}

interface Call {
  command: string;
  args: string[];
  cwd: string;
  variables?: Record<string, string>;
  signal?: AbortSignal;
}
interface Result {
  code: number | null | "timeout";
  stdout: string;
  stderr: string;
}

const MAX_OUTPUT = 1024 ** 2;

/** The process is the leader of a group, which ends as a whole on abort and on timeout. */
function runTool({ command, args, cwd, variables, signal }: Call, options: ToolOptions): Promise<Result> {
  return new Promise((resolve, reject) => {
    const base = options.environment === undefined ? {} : { env: { ...options.environment, ...variables } };
    const own =
      options.environment === undefined && variables
        ? environmentArguments(command, args, variables)
        : { command, args };
    const child = spawn(own.command, own.args, { cwd, ...base, detached: true, stdio: ["ignore", "pipe", "pipe"] });
    const texts = { stdout: "", stderr: "" };
    let timedOut = false;
    const kill = () => {
      try {
        process.kill(-child.pid!, "SIGKILL");
      } catch {
        // Gone already.
      }
    };
    const timer = setTimeout(() => {
      timedOut = true;
      kill();
    }, options.timeout ?? 300_000);
    signal?.addEventListener("abort", kill, { once: true });
    for (const name of ["stdout", "stderr"] as const) {
      child[name].setEncoding("utf8").on("data", (text: string) => {
        texts[name] = (texts[name] + text).slice(-MAX_OUTPUT);
      });
    }
    const settle = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", kill);
    };
    child.once("error", (cause) => {
      settle();
      reject(
        new WrkstError("ERR_INSTALL", `"${command}" could not be started`, {
          cause,
          hint: "install npm on this machine",
        }),
      );
    });
    child.once("close", (code) => {
      settle();
      resolve({ ...texts, code: timedOut ? "timeout" : code });
    });
  });
}

/** Adds variables to an inherited environment without naming it: by `env`, which every platform of ours has. */
function environmentArguments(command: string, args: string[], variables: Record<string, string>) {
  const pairs = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
  return { command: "/usr/bin/env", args: [...pairs, command, ...args] };
}

const UNREACHABLE =
  /\b(?:ENOTFOUND|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EAI_AGAIN|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT|EPIPE|E50\d|E429|E401|E403|FETCH_50\d|UNABLE_TO_GET_ISSUER_CERT_LOCALLY|SELF_SIGNED_CERT_IN_CHAIN|CERT_HAS_EXPIRED)\b|network request .* failed/i;
const OUT_OF_STEP = /\bEUSAGE\b|in sync|ERR_PNPM_OUTDATED_LOCKFILE|ERR_PNPM_LOCKFILE_CONFIG_MISMATCH/i;

function installError({ tool, folder, settings }: InstallCall, output: string, timedOut: boolean): WrkstError {
  const line = redact(essentialLine(output)).replaceAll(folder, ".").slice(0, 500);
  if (timedOut || UNREACHABLE.test(output)) {
    const host = URL.canParse(settings.registry) ? new URL(settings.registry).host : "";
    return new WrkstError(
      "ERR_INSTALL_UNREACHABLE",
      `the registry of packages did not answer: ${timedOut ? "timeout" : line}`,
      {
        hint: `check that "${host}" can be reached from this machine`,
      },
    );
  }
  if (OUT_OF_STEP.test(output)) {
    return new WrkstError("ERR_INSTALL", "package.json and the lockfile do not fit together", {
      hint: `run "${tool} install" and commit the lockfile`,
    });
  }
  return new WrkstError("ERR_INSTALL", `${tool} could not install the dependencies: ${line}`, {
    hint: `run a clean "${tool} install" yourself to see more`,
  });
}

function essentialLine(output: string): string {
  const lines = output.split("\n").map((line) => line.replace(/^(?:npm (?:error|ERR!)|\[?ERROR\]?)\s*/i, "").trim());
  const telling = lines.filter(
    (line) => line !== "" && !/^(?:code|errno|syscall|A complete log|npm warn|WARN|Progress)/i.test(line),
  );
  return (
    telling.find((line) => /ERR_PNPM|\b[45]\d\d\b|notarget|integrity|EINTEGRITY|ETARGET/i.test(line)) ??
    telling[0] ??
    "it failed"
  );
}
