// The commands of `wrkst`. Results go to `out`, all else to `err`; the exit code is 0, 1 for a failure, 2 for wrong usage.

import { Command, CommanderError, InvalidArgumentError } from "commander";
import type { PassReport, PlatformEvent, Status } from "../agent/model.js";
import { type Client, createClient } from "./client.js";
import { Failure } from "./failure.js";
import { type FunctionDetail, notReady, viewEvents, viewFunction, viewReport, viewStatus } from "./views.js";
import { says, TEXT, VERSION } from "./wording.js";

export interface Io {
  env: Record<string, string | undefined>;
  /** Folder that relative paths start from. */
  folder: string;
  out: (text: string) => void;
  err: (text: string) => void;
  colour: boolean;
  now: () => number;
}

interface Common {
  url?: string;
  tokenFile?: string;
  json?: boolean;
}

/** Runs one command. Never throws; the answer is the exit code. */
export async function run(args: string[], io: Io): Promise<number> {
  try {
    await createProgram(io).parseAsync(args, { from: "user" });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    io.err(says.error(error instanceof Error ? error.message : String(error)));
    if (error instanceof Failure && error.hint) io.err(says.hint(error.hint));
    return 1;
  }
}

function createProgram(io: Io): Command {
  const program = new Command("wrkst").description(TEXT.program).version(VERSION);
  program.exitOverride().configureOutput({
    writeOut: io.out,
    writeErr: io.err,
    outputError: (text, write) => write(says.error(text.replace(/^error: /, "").trimEnd()) + says.hint(TEXT.seeHelp)),
  });
  addStatus(program, io);
  addSync(program, io);
  addEvents(program, io);
  return program;
}

function addStatus(program: Command, io: Io): void {
  common(program.command("status").description(TEXT.status).argument("[function]", TEXT.function))
    .option("--check", TEXT.check)
    .action(async (name: string | undefined, options: Common & { check?: boolean }) => {
      const client = clientOf(options, io);
      const waiting =
        name === undefined ? await showAll(client, options, io) : await showOne(client, name, options, io);
      if (options.check && waiting.length) throw new Failure(says.notReady(waiting));
    });
}

async function showAll(client: Client, options: Common, io: Io): Promise<string[]> {
  const status = await client.ask<Status>("GET", "/api/v1/status");
  print(status, viewStatus(status, { colour: io.colour, now: io.now() }), options, io);
  return notReady(status);
}

async function showOne(client: Client, name: string, options: Common, io: Io): Promise<string[]> {
  const entry = await client.ask<FunctionDetail>("GET", `/api/v1/functions/${encodeURIComponent(name)}`);
  print(entry, viewFunction(entry, { colour: io.colour, now: io.now() }), options, io);
  return notReady({ sources: [], functions: [entry] });
}

/** A pass may install dependencies of many functions; fetch itself gives up after five minutes. */
const LONGEST_PASS = 5 * 60_000;

function addSync(program: Command, io: Io): void {
  common(program.command("sync").description(TEXT.sync).argument("[source]", TEXT.source, "default"))
    .option("--wait", TEXT.wait)
    .option("--prune", TEXT.prune)
    .action(async (source: string, options: Common & { wait?: boolean; prune?: boolean }) => {
      const query = new URLSearchParams({ wait: String(options.wait === true), prune: String(options.prune === true) });
      const path = `/api/v1/sources/${encodeURIComponent(source)}/sync?${query}`;
      const answer = await clientOf(options, io).ask<PassReport | { job: string }>("POST", path, {
        timeout: LONGEST_PASS,
      });
      if ("job" in answer) return print(answer, `${says.accepted(source, answer.job)}\n`, options, io);
      print(answer, viewReport(answer), options, io);
      const failed = answer.functions.filter((outcome) => outcome.result === "failed").map((outcome) => outcome.name);
      if (answer.result === "failed" || failed.length)
        throw new Failure(says.notReady(failed.length ? failed : [source]));
    });
}

function addEvents(program: Command, io: Io): void {
  common(program.command("events").description(TEXT.events))
    .option("--limit <number>", TEXT.limit, parseLimit, 20)
    .option("--function <name>", TEXT.only)
    .action(async (options: Common & { limit: number; function?: string }) => {
      const query = new URLSearchParams({ limit: String(options.limit) });
      if (options.function) query.set("function", options.function);
      const page = await clientOf(options, io).ask<{ events: PlatformEvent[] }>("GET", `/api/v1/events?${query}`);
      print(page, viewEvents(page.events), options, io);
    });
}

function parseLimit(raw: string): number {
  if (/^[1-9]\d{0,2}$/.test(raw)) return Number(raw);
  throw new InvalidArgumentError("expected a number from 1 to 999.");
}

function common(command: Command): Command {
  return command
    .option("--url <address>", TEXT.url)
    .option("--token-file <path>", TEXT.tokenFile)
    .option("--json", TEXT.json);
}

function clientOf({ url, tokenFile }: Common, io: Io): Client {
  const { env, folder } = io;
  return createClient({ url, tokenFile, env, folder, warn: (sentence) => io.err(says.warning(sentence)) });
}

function print(answer: unknown, view: string, { json }: Common, io: Io): void {
  io.out(json ? `${JSON.stringify(answer, null, 2)}\n` : view);
}
