// Finds the token. Invariant: a token is sent to the server that it was made for and to no other.

import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { ConfigFile } from "./config-file.js";
import { Failure } from "./failure.js";
import { says } from "./wording.js";

export interface CredentialOptions {
  tokenFile?: string | undefined;
  env: Record<string, string | undefined>;
  /** Folder that relative paths start from. */
  folder: string;
  config: ConfigFile;
  url: URL;
  now: () => number;
  /** Asks the server for new tokens and keeps them; undefined where the login has ended. */
  renew: (seen: string) => Promise<string | undefined>;
}

export interface Credential {
  token: string;
  /** A login: its token may be renewed. */
  isLogin: boolean;
}

/** A token that ends within this many milliseconds is renewed first. */
const MARGIN = 30_000;

/** The token: from the file named, the environment, a login, or the data folder of a server on this machine. */
export async function findCredential(options: CredentialOptions): Promise<Credential | undefined> {
  const { tokenFile, folder, url } = options;
  if (tokenFile !== undefined) {
    const token = readToken(resolve(folder, tokenFile));
    if (token) return { token, isLogin: false };
    throw new Failure(says.noTokenFile(tokenFile));
  }
  const given = options.env.WRKST_TOKEN?.trim();
  if (given) return belongs(options) ? { token: given, isLogin: false } : undefined;
  const login = options.config.read().servers[url.origin]?.login;
  if (login) {
    const token = login.expiresAt - MARGIN > options.now() ? login.access : await options.renew(login.access);
    if (token) return { token, isLogin: true };
  }
  if (!isLoopback(url)) return undefined;
  const local = readToken(resolve(folder, options.env.DATA_DIR || "data", "secrets/admin-token"));
  return local ? { token: local, isLogin: false } : undefined;
}

/** The token of the environment is for the server of the environment, where it names one. */
function belongs({ env, url }: CredentialOptions): boolean {
  return !env.WRKST_URL || (URL.canParse(env.WRKST_URL) && new URL(env.WRKST_URL).origin === url.origin);
}

export function isLoopback({ hostname }: URL): boolean {
  return /^(localhost|.+\.localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);
}

function readToken(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8").trim() || undefined;
  } catch {
    return undefined;
  }
}
