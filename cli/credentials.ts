// Finds the token. Invariant: the file of the local server is never sent to another machine.

import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { Failure } from "./failure.js";
import { says } from "./wording.js";

export interface CredentialOptions {
  tokenFile?: string | undefined;
  env: Record<string, string | undefined>;
  /** Folder that relative paths start from. */
  folder: string;
  url: URL;
}

/** The token: from the file named, the environment, or the data folder of a server on this machine. */
export function findToken({ tokenFile, env, folder, url }: CredentialOptions): string | undefined {
  if (tokenFile !== undefined) {
    const token = readToken(resolve(folder, tokenFile));
    if (token) return token;
    throw new Failure(says.noTokenFile(tokenFile));
  }
  if (env.WRKST_TOKEN) return env.WRKST_TOKEN.trim();
  return isLoopback(url) ? readToken(resolve(folder, env.DATA_DIR || "data", "secrets/admin-token")) : undefined;
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
