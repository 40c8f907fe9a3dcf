// `wrkst tail` and `logs`: what functions say and throw, as it happens and as it was kept.

import { type Command, InvalidArgumentError, Option } from "commander";
import type { KeptLog, TailEvent } from "../../agent/model.js";
import { readEvents } from "../event-stream.js";
import type { Io } from "../io.js";
import { functionPath } from "../session.js";
import { viewLogs, viewTailEvent } from "../speech.js";
import { formatJson, says, TEXT } from "../wording.js";
import { addOfFunction, type OfFunction, openFunction } from "./command.js";
import { parseLimit } from "./status.js";

interface TailOptions extends OfFunction {
  status?: string;
  method?: string;
  ip?: string;
  header?: string;
  search?: string;
  sampling?: string;
}

export function addTail(program: Command, io: Io): void {
  addOfFunction(program, "tail")
    .argument("[function]", TEXT.function)
    .option("--status <list>", TEXT.tailStatus, parseOutcomes)
    .option("--method <list>", TEXT.tailMethod)
    .option("--ip <list>", TEXT.tailIp)
    .option("--header <name:value>", TEXT.tailHeader)
    .option("--search <text>", TEXT.tailSearch)
    .option("--sampling <rate>", TEXT.tailSampling, parseRate)
    .action((wanted: string | undefined, options: TailOptions) => tail(wanted, options, io));
}

const OUTCOMES = ["ok", "canceled", "error"];

function parseOutcomes(raw: string): string {
  const unknown = raw.split(",").find((outcome) => !OUTCOMES.includes(outcome));
  if (unknown === undefined) return raw;
  throw new InvalidArgumentError(`expected ${OUTCOMES.join(", ")}, received "${unknown}".`);
}

function parseRate(raw: string): string {
  const rate = /^[\d.]+$/.test(raw) ? Number(raw) : Number.NaN;
  if (rate > 0 && rate <= 1) return raw;
  throw new InvalidArgumentError("expected a number above 0 and up to 1.");
}

/** Until Ctrl-C, which is its regular end. */
async function tail(wanted: string | undefined, options: TailOptions, io: Io): Promise<void> {
  const { name, client, say } = await openFunction(options, io, wanted, says.nameFunction("tail"));
  const { status, method, ip, header, search, sampling } = options;
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries({ status, method, ip, header, search, sampling })) {
    if (value !== undefined) query.set(key, value);
  }
  try {
    const path = functionPath(name, `/tail${query.size ? `?${query}` : ""}`);
    const response = await client.open(path, { accept: "text/event-stream" });
    say(says.listening(name));
    for await (const { data } of readEvents(response)) {
      const event = JSON.parse(data) as TailEvent;
      io.out(options.json ? `${formatJson(event)}\n` : viewTailEvent(event, io.colour));
    }
    say(says.tailEnded(name));
  } catch (error) {
    if (!io.signal.aborted) throw error;
  }
}

interface LogOptions extends OfFunction {
  limit: number;
  level?: string;
  kind?: string;
}

export function addLogs(program: Command, io: Io): void {
  addOfFunction(program, "logs")
    .argument("[function]", TEXT.function)
    .option("--limit <number>", TEXT.limit, parseLimit, 50)
    .addOption(new Option("--level <level>", TEXT.level).choices(["debug", "info", "log", "warn", "error"]))
    .addOption(new Option("--kind <kind>", TEXT.kind).choices(["exception", "log"]))
    .action(async (wanted: string | undefined, { limit, level, kind, ...options }: LogOptions) => {
      const { name, client, print, say } = await openFunction(options, io, wanted, says.nameFunction("logs"));
      const query = new URLSearchParams({ limit: String(limit), ...(level && { level }), ...(kind && { kind }) });
      const page = await client.ask<{ logs: KeptLog[] }>("GET", functionPath(name, `/logs?${query}`));
      print(page, viewLogs(page.logs, io.colour));
      if (!page.logs.length) say(says.noLogs(name));
    });
}
