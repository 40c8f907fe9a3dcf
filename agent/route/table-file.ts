// The route table on disk, from which the router starts. Derived from the registry: a file that is missing or damaged is made again, so it need not be synced.

import { randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { RouteTable } from "../../runtime/wire.js";
import { WrkstError } from "../errors.js";

const TABLE = "table.json";
const TEMPORARY = /^\.table-.*\.tmp$/;

/** Writes `<dir>/table.json` in one step: a reader sees the old table or the new one. Throws ERR_STORE. */
export async function writeRouteTable(dir: string, table: RouteTable): Promise<void> {
  const temporary = join(dir, `.table-${randomUUID()}.tmp`);
  try {
    await mkdir(dir, { recursive: true });
    await writeFile(temporary, JSON.stringify(table), { mode: 0o600 });
    await rename(temporary, join(dir, TABLE));
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined);
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new WrkstError("ERR_STORE", `cannot write the route table: ${reason}`, {
      cause,
      hint: "check that DATA_DIR can be written by the agent and has space left",
    });
  }
}

/** The table of the folder, or undefined where there is none that can be used. Removes what an interrupted write left. */
export async function readRouteTable(dir: string): Promise<RouteTable | undefined> {
  const names = await readdir(dir).catch(() => []);
  const leftover = names.filter((name) => TEMPORARY.test(name));
  await Promise.all(leftover.map((name) => rm(join(dir, name), { force: true })));
  try {
    const table: unknown = JSON.parse(await readFile(join(dir, TABLE), "utf8"));
    return isRouteTable(table) ? table : undefined;
  } catch {
    return undefined;
  }
}

function isRouteTable(value: unknown): value is RouteTable {
  if (!isObject(value) || !Number.isSafeInteger(value.generation) || !Array.isArray(value.revisions)) return false;
  if (!isObject(value.functions) || !value.revisions.every(isRevision)) return false;
  return Object.values(value.functions).every(isEntry);
}

function isRevision(value: unknown): boolean {
  return isObject(value) && Number.isSafeInteger(value.seq) && typeof value.commit === "string";
}

function isEntry(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { latest, aliases, versions, history, hosts } = value;
  const named = latest === null || typeof latest === "string";
  return named && isObject(aliases) && isObject(versions) && Array.isArray(history) && Array.isArray(hosts);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
