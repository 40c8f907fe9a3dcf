// `wrkst delete`, `promote`, `restore`, `suspend` and `resume`: one function, named.

import type { Command } from "commander";
import type { Deployment, FunctionStatus, Suspension } from "../../agent/model.js";
import { parseExpiry } from "../duration.js";
import { Failure } from "../failure.js";
import type { Io } from "../io.js";
import { confirm } from "../prompt.js";
import { type Common, functionPath, openSession } from "../session.js";
import { printable, says, TEXT } from "../wording.js";
import { addAsking } from "./command.js";

export function addDelete(program: Command, io: Io): void {
  addAsking(program, "delete")
    .argument("<function>", TEXT.function)
    .option("--yes", TEXT.yes)
    .option("--force", TEXT.forceDelete)
    .action(async (name: string, options: Common & { yes?: boolean; force?: boolean }) => {
      const { client, confirm: done } = openSession(options, io);
      if (!options.yes && !(await confirm(says.confirmDelete(name), io))) throw new Failure(TEXT.notDeleted);
      await client.ask("DELETE", functionPath(name, options.force ? "?force=true" : ""));
      done({ function: name, deleted: true }, says.deleted(name));
    });
}

export function addPromote(program: Command, io: Io): void {
  addAsking(program, "promote")
    .argument("<function>", TEXT.function)
    .action(async (name: string, options: Common) => {
      const { client, print, warn } = openSession(options, io);
      const deployment = await client.ask<Deployment>("POST", functionPath(name, "/promote"));
      for (const { message } of deployment.warnings ?? []) warn(printable(message));
      print(deployment, says.promoted(name, deployment.to));
    });
}

export function addRestore(program: Command, io: Io): void {
  addBack(program, io, "restore");
}

export function addSuspend(program: Command, io: Io): void {
  addAsking(program, "suspend")
    .argument("<function>", TEXT.function)
    .requiredOption("--reason <text>", TEXT.reason)
    .option("--expires <duration>", TEXT.expires)
    .option("--offline", TEXT.offline)
    .action(async (name: string, options: Common & { reason: string; expires?: string; offline?: boolean }) => {
      const { client, confirm: done } = openSession(options, io);
      const { reason, expires, offline } = options;
      const until = expires === undefined ? {} : { expires: parseExpiry(expires, io.now()) };
      const body = { reason, ...until, ...(offline ? { offline } : {}) };
      const suspension = await client.ask<Suspension>("POST", functionPath(name, "/suspend"), { body });
      done(suspension, says.suspended(name, suspension));
    });
}

export function addResume(program: Command, io: Io): void {
  addBack(program, io, "resume");
}

/** Both bring a function back into service, and show it then. */
function addBack(program: Command, io: Io, command: "restore" | "resume"): void {
  addAsking(program, command)
    .argument("<function>", TEXT.function)
    .action(async (name: string, options: Common) => {
      const { client, print } = openSession(options, io);
      const entry = await client.ask<FunctionStatus>("POST", functionPath(name, `/${command}`));
      print(entry, says.nowServes(entry));
    });
}
