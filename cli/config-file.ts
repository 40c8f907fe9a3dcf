// The file that the command keeps: the server, and for each server the account and the tokens of a login.
// Invariant: readable by its owner only, written whole or not at all, one writer at a time.

import {
  chmodSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname, isAbsolute, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Failure } from "./failure.js";
import type { Io } from "./io.js";
import { says, TEXT } from "./wording.js";

/** What a login leaves behind. */
export interface Login {
  access: string;
  refresh: string;
  /** Milliseconds since 1970 at which `access` ends. */
  expiresAt: number;
}

export interface ServerEntry {
  account?: string;
  login?: Login;
}

export interface Config {
  /** Of the server that is meant when none is named. */
  url?: string;
  /** By origin. */
  servers: Record<string, ServerEntry>;
}

export interface ConfigFile {
  readonly path: string;
  read(): Config;
  /** Changes it under a lock: what another process wrote meanwhile is seen, not lost. Answers what `change` answers. */
  update<T>(change: (config: Config) => T | Promise<T>): Promise<T>;
}

type Place = Pick<Io, "env" | "home" | "system">;

/** Where the system keeps such files. */
export function configFolder({ env, home, system }: Place): string {
  const xdg = env.XDG_CONFIG_HOME;
  if (xdg && isAbsolute(xdg)) return join(xdg, "wrkst");
  if (system === "win32") return join(env.APPDATA || join(home, "AppData/Roaming"), "wrkst");
  return system === "darwin" ? join(home, "Library/Application Support/wrkst") : join(home, ".config/wrkst");
}

export function openConfigFile(place: Place): ConfigFile {
  const path = join(configFolder(place), "config.json");
  return {
    path,
    read: () => readConfig(path),
    async update(change) {
      const folder = dirname(path);
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      chmodSync(folder, 0o700);
      const release = await lock(`${path}.lock`);
      try {
        const config = readConfig(path);
        const before = JSON.stringify(config);
        const answer = await change(config);
        if (JSON.stringify(config) !== before) writeWhole(path, `${JSON.stringify(config, null, 2)}\n`);
        return answer;
      } finally {
        release();
      }
    },
  };
}

function readConfig(path: string): Config {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return { servers: {} };
    throw new Failure(says.unreadable(path, (error as NodeJS.ErrnoException).code ?? ""));
  }
  try {
    const config = JSON.parse(text) as Partial<Config>;
    return { ...config, servers: { ...config.servers } };
  } catch {
    throw new Failure(says.unreadable(path, "no JSON"), TEXT.removeConfig);
  }
}

/** Only under the lock, so that one name is enough. */
function writeWhole(path: string, text: string): void {
  const temporary = `${path}.new`;
  rmSync(temporary, { force: true });
  const file = openSync(temporary, "wx", 0o600);
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
}

/** A holder that takes longer is taken for dead: what happens under the lock is one request at most. */
const STALE_AFTER = 60_000;
const LOOK_EVERY = 25;

async function lock(path: string): Promise<() => void> {
  for (;;) {
    try {
      closeSync(openSync(path, "wx", 0o600));
      return () => rmSync(path, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    const held = statSync(path, { throwIfNoEntry: false });
    if (held && Date.now() - held.mtimeMs > STALE_AFTER) rmSync(path, { force: true });
    else await delay(LOOK_EVERY);
  }
}
