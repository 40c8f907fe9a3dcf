// What a command works with: the server that is meant, the account, and where answers go.

import { type Command, InvalidArgumentError } from "commander";
import { type Ask, type Client, createClient, type Method, Refusal } from "./client.js";
import { type ConfigFile, openConfigFile } from "./config-file.js";
import { findCredential, isLoopback } from "./credentials.js";
import { Failure } from "./failure.js";
import type { Io } from "./io.js";
import { formatJson, says, TEXT } from "./wording.js";

/** Options that every command which asks the server takes. */
export interface Common {
  url?: string;
  tokenFile?: string;
  account?: string;
  json?: boolean;
}

/** Who asks, as the server sees it. */
export interface Whoami {
  subject: string;
  name: string;
  email: string | null;
  role: string;
  account: string;
  scopes: string[];
  credential?: { kind: string };
}

export interface Session {
  io: Io;
  config: ConfigFile;
  client: Client;
  /** The account that is meant: named, that of the login, or that of the token. */
  account(): Promise<string>;
  /** Routes of the account's function: `script("hello", "versions")`. */
  script<T>(method: Method, name: string, path: string, options?: Ask): Promise<T>;
  /** The answer as JSON or for people, to stdout. */
  print(answer: unknown, view: string): void;
  /** That it is done: to stderr for people, and with `--json` what was done, to stdout. */
  confirm(done: object, line: string): void;
  /** To stderr. */
  say(line: string): void;
  warn(sentence: string): void;
}

/** Adds the options that every command takes. */
export function addCommon(command: Command): Command {
  return command
    .option("--url <address>", TEXT.url)
    .option("--account <name>", TEXT.account)
    .option("--token-file <path>", TEXT.tokenFile)
    .option("--json", TEXT.json);
}

const DEFAULT_URL = "http://localhost:8080";

export function openSession(options: Common, io: Io): Session {
  const config = openConfigFile(io);
  const url = resolveUrl(options, io, config);
  const warn = (sentence: string) => io.err(says.warning(sentence));
  const client = createClient({
    url,
    token: tokenSource({ options, io, config, url, warn }),
    signal: io.signal,
    noToken: () =>
      io.env.WRKST_TOKEN ? says.tokenElsewhere(url.origin) : isLoopback(url) ? TEXT.noToken : TEXT.noLogin,
  });
  const account = accountOf({ options, io, config, client });
  return {
    io,
    config,
    client,
    account,
    script: async (method, name, path, ask) => client.ask(method, await scriptPath(account, name, path), ask),
    print: (answer, view) => io.out(options.json ? `${formatJson(answer ?? null, 2)}\n` : view),
    confirm: (done, line) => {
      io.err(`${line}\n`);
      if (options.json) io.out(`${formatJson(done, 2)}\n`);
    },
    say: (line) => io.err(`${line}\n`),
    warn,
  };
}

/** The server that is meant: named, of the environment, of the file. */
export function resolveUrl({ url }: Common, { env }: Io, config: ConfigFile): URL {
  if (url !== undefined) return parseUrl(url);
  const raw = env.WRKST_URL || config.read().url || DEFAULT_URL;
  const known = urlIn(raw);
  if (known) return known;
  throw new Failure(says.badUrl(raw));
}

/** Of an argument: a wrong one is wrong usage. */
export function parseUrl(raw: string): URL {
  const url = urlIn(raw);
  if (url) return url;
  throw new InvalidArgumentError(says.badUrl(raw));
}

function urlIn(raw: string): URL | undefined {
  const url = URL.canParse(raw) ? new URL(raw) : undefined;
  return url && /^https?:$/.test(url.protocol) && !url.username && !url.password ? url : undefined;
}

interface Parts {
  options: Common;
  io: Io;
  config: ConfigFile;
  url: URL;
  warn: (sentence: string) => void;
}

/** Looks the token up at the first request, and again after a refusal where it can be renewed. */
function tokenSource({ options: { tokenFile }, io, config, url, warn }: Parts) {
  const renew = async (seen: string) => (await import("./login.js")).renewLogin(seen, { io, config, url });
  const find = async () => {
    const { env, folder, now } = io;
    const found = await findCredential({ tokenFile, env, folder, config, url, now, renew });
    if (found && url.protocol === "http:" && !isLoopback(url)) warn(says.openWire(url.host));
    return found;
  };
  let known: ReturnType<typeof find> | undefined;
  return async (refused?: string): Promise<string | undefined> => {
    known ??= find();
    const credential = await known;
    if (refused === undefined || !credential?.isLogin) return credential?.token;
    const token = await renew(refused);
    known = Promise.resolve(token === undefined ? undefined : { token, isLogin: true });
    return token;
  };
}

function accountOf({ options, io, config, client }: Omit<Parts, "url" | "warn"> & { client: Client }) {
  let known: Promise<string> | undefined;
  const find = async () => {
    const isLogin = options.tokenFile === undefined && !io.env.WRKST_TOKEN;
    const kept = isLogin ? config.read().servers[client.url.origin]?.account : undefined;
    return options.account ?? (io.env.WRKST_ACCOUNT || kept) ?? (await askWhoami(client)).account;
  };
  return () => {
    known ??= find();
    return known;
  };
}

export function askWhoami(client: Client): Promise<Whoami> {
  return client.ask<Whoami>("GET", "/api/v1/whoami");
}

async function scriptPath(account: () => Promise<string>, name: string, path: string): Promise<string> {
  const base = `/client/v4/accounts/${encodeURIComponent(await account())}/workers/scripts/${encodeURIComponent(name)}`;
  return `${base}/${path}`;
}

/** Path of the function in our own family of routes. */
export const functionPath = (name: string, rest = "") => `/api/v1/functions/${encodeURIComponent(name)}${rest}`;

/** Undefined where the server knows no such thing. */
export async function orMissing<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof Refusal && error.status === 404) return undefined;
    throw error;
  }
}
