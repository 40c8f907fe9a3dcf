// `wrkst status`, `sync`, `why`: what serves, and why.

import { type Command, InvalidArgumentError } from "commander";
import type { Explanation, PassReport, SourceExplanation, Status } from "../../agent/model.js";
import { Failure } from "../failure.js";
import type { Io } from "../io.js";
import { type Common, functionPath, openSession, type Session } from "../session.js";
import { type FunctionDetail, notReady, viewFunction, viewReport, viewStatus } from "../views.js";
import { viewWhy, viewWhySource } from "../why.js";
import { says, TEXT } from "../wording.js";
import { addAsking } from "./command.js";

export function addStatus(program: Command, io: Io): void {
  addAsking(program, "status")
    .argument("[function]", TEXT.function)
    .option("--check", TEXT.check)
    .action(async (name: string | undefined, options: Common & { check?: boolean }) => {
      const session = openSession(options, io);
      const waiting = name === undefined ? await showAll(session, options) : await showOne(session, name);
      if (options.check && waiting.length) throw new Failure(says.notReady(waiting));
    });
}

/** Of one account only where it is named here: people look at all that they may see. */
async function showAll({ client, io, print }: Session, { account }: Common): Promise<string[]> {
  const query = account === undefined ? "" : `?account=${encodeURIComponent(account)}`;
  const status = await client.ask<Status>("GET", `/api/v1/status${query}`);
  print(status, viewStatus(status, { colour: io.colour, now: io.now() }));
  return notReady(status);
}

async function showOne({ client, io, print }: Session, name: string): Promise<string[]> {
  const entry = await client.ask<FunctionDetail>("GET", functionPath(name));
  print(entry, viewFunction(entry, { colour: io.colour, now: io.now() }));
  return notReady({ sources: [], functions: [entry] });
}

/** A pass may install dependencies of many functions; fetch itself gives up after five minutes. */
const LONGEST_PASS = 5 * 60_000;

export function addSync(program: Command, io: Io): void {
  addAsking(program, "sync")
    .argument("[source]", TEXT.source, "default")
    .option("--wait", TEXT.wait)
    .option("--prune", TEXT.prune)
    .action(async (source: string, options: SyncOptions) => {
      await sync(source, options, io);
    });
}

export interface SyncOptions extends Common {
  wait?: boolean;
  prune?: boolean;
}

/** A pass of the source, waited for or not. */
export async function sync(source: string, options: SyncOptions, io: Io): Promise<void> {
  const { client, print } = openSession(options, io);
  const query = new URLSearchParams({ wait: String(options.wait === true), prune: String(options.prune === true) });
  const path = `/api/v1/sources/${encodeURIComponent(source)}/sync?${query}`;
  const answer = await client.ask<PassReport | { job: string }>("POST", path, { timeout: LONGEST_PASS });
  if ("job" in answer) return print(answer, `${says.accepted(source, answer.job)}\n`);
  print(answer, viewReport(answer));
  const failed = answer.functions.filter((outcome) => outcome.result === "failed").map((outcome) => outcome.name);
  const isDone = answer.result === "switched" || answer.result === "unchanged";
  if (isDone && !failed.length) return;
  throw new Failure(says.notReady(failed.length ? failed : [source]), says.seeWhy(source, failed[0]));
}

export function addWhy(program: Command, io: Io): void {
  addAsking(program, "why")
    .argument("[function]", TEXT.function)
    .option("--source <name>", TEXT.whySource)
    .action(async (wanted: string | undefined, { source, ...options }: Common & { source?: string }) => {
      const name = source === undefined ? (wanted ?? (await nameHere(io))) : undefined;
      const { client, print } = openSession(options, io);
      const how = { colour: io.colour, now: io.now() };
      if (name === undefined) {
        const path = `/api/v1/sources/${encodeURIComponent(source ?? "default")}/why`;
        const why = await client.ask<SourceExplanation>("GET", path);
        return print(why, viewWhySource(why, how));
      }
      const why = await client.ask<Explanation>("GET", functionPath(name, "/why"));
      print(why, viewWhy(why, how));
    });
}

/** Of the function whose wrangler file is here, if one is. */
async function nameHere({ folder }: Io): Promise<string | undefined> {
  const { findFunctionFolder, readProject } = await import("../project.js");
  return findFunctionFolder(folder) === undefined ? undefined : (await readProject(folder, undefined)).manifest.name;
}

export function parseLimit(raw: string): number {
  if (/^[1-9]\d{0,2}$/.test(raw)) return Number(raw);
  throw new InvalidArgumentError("expected a number from 1 to 999.");
}
