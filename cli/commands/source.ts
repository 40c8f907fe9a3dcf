// `wrkst source`: the repositories that are followed.

import type { Command } from "commander";
import type { SourceDetail, Suspension } from "../../agent/model.js";
import { parseExpiry } from "../duration.js";
import { Failure } from "../failure.js";
import type { Io } from "../io.js";
import { confirm } from "../prompt.js";
import { type Common, openSession } from "../session.js";
import { listSources, viewSource } from "../source-views.js";
import { says, TEXT } from "../wording.js";
import { addAsking, addCommand } from "./command.js";
import { addSourceReport } from "./source-report.js";
import { addSourceSettings } from "./source-settings.js";
import { addSourceWebhook } from "./source-webhook.js";
import { type SyncOptions, sync } from "./status.js";

export function addSource(program: Command, io: Io): void {
  addCommand(program, "source");
  addSourceSettings(program, io);
  addLooks(program, io);
  addRemove(program, io);
  addSuspending(program, io);
  addAsking(program, "source sync")
    .argument("<source>", TEXT.source)
    .option("--wait", TEXT.wait)
    .option("--prune", TEXT.prune)
    .action((source: string, options: SyncOptions) => sync(source, options, io));
  addSourceWebhook(program, io);
  addSourceReport(program, io);
}

const pathOf = (source: string, rest = "") => `/api/v1/sources/${encodeURIComponent(source)}${rest}`;

function addLooks(program: Command, io: Io): void {
  addAsking(program, "source list").action(async (options: Common) => {
    const { client, print } = openSession(options, io);
    const { sources } = await client.ask<{ sources: SourceDetail[] }>("GET", "/api/v1/sources");
    print(sources, listSources(sources, { colour: io.colour, now: io.now() }));
  });
  addAsking(program, "source show")
    .argument("<source>", TEXT.source)
    .action(async (source: string, options: Common) => {
      const { client, print } = openSession(options, io);
      const detail = await client.ask<SourceDetail>("GET", pathOf(source));
      print(detail, viewSource(detail, { colour: io.colour, now: io.now() }));
    });
}

function addRemove(program: Command, io: Io): void {
  addAsking(program, "source remove")
    .argument("<source>", TEXT.source)
    .option("--keep-functions", TEXT.keepFunctions)
    .option("--yes", TEXT.yes)
    .action(async (source: string, options: Common & { keepFunctions?: boolean; yes?: boolean }) => {
      const { client, confirm: done } = openSession(options, io);
      if (!options.yes && !(await confirm(says.confirmRemoval(source), io))) throw new Failure(TEXT.notRemoved);
      const keptFunctions = options.keepFunctions === true;
      await client.ask("DELETE", pathOf(source, `?keepFunctions=${keptFunctions}`));
      done({ source, removed: true, keptFunctions }, says.sourceRemoved(source, keptFunctions));
    });
}

function addSuspending(program: Command, io: Io): void {
  addAsking(program, "source suspend")
    .argument("<source>", TEXT.source)
    .requiredOption("--reason <text>", TEXT.reason)
    .option("--expires <duration>", TEXT.expires)
    .action(async (source: string, { reason, expires, ...options }: Common & { reason: string; expires?: string }) => {
      const { client, confirm: done } = openSession(options, io);
      const body = { reason, ...(expires === undefined ? {} : { expires: parseExpiry(expires, io.now()) }) };
      const suspension = await client.ask<Suspension>("POST", pathOf(source, "/suspend"), { body });
      done(suspension, says.suspended(source, suspension));
    });
  addAsking(program, "source resume")
    .argument("<source>", TEXT.source)
    .action(async (source: string, options: Common) => {
      const { client, confirm: done } = openSession(options, io);
      const detail = await client.ask<SourceDetail>("POST", pathOf(source, "/resume"));
      done(detail, says.sourceResumed(source, detail.state));
    });
}
