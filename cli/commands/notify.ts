// `wrkst notify`: who is told what happens. Invariant: an address, which may be a secret, is never an argument.

import { type Command, InvalidArgumentError, Option } from "commander";
import type { NotificationDetail, NotificationTest } from "../../agent/model.js";
import { Failure, Verdict } from "../failure.js";
import type { Io } from "../io.js";
import { listNotifications, viewNotification } from "../notification-views.js";
import { askSecret, confirm } from "../prompt.js";
import { type Common, openSession } from "../session.js";
import { says, TEXT } from "../wording.js";
import { addAsking, addCommand } from "./command.js";

interface FilterOptions extends Common {
  events?: string[];
  sources?: string[];
  functions?: string[];
  accounts?: string[];
  errors?: boolean;
}

interface AddOptions extends FilterOptions {
  kind: string;
}

interface EditOptions extends FilterOptions {
  addressStdin?: boolean;
  rotate?: boolean;
}

/** `secret` only where one was made. */
type Answer = NotificationDetail & { secret?: string };

const PATH = "/api/v1/notifications";
const pathOf = (name: string, rest = "") => `${PATH}/${encodeURIComponent(name)}${rest}`;

export function addNotify(program: Command, io: Io): void {
  addCommand(program, "notify");
  addChanges(program, io);
  addLooks(program, io);
  addEnds(program, io);
}

function addChanges(program: Command, io: Io): void {
  addFilter(addAsking(program, "notify add").argument("<name>", TEXT.receiverName))
    .addOption(new Option("--kind <kind>", TEXT.receiverKind).choices(["slack", "webhook"]).makeOptionMandatory())
    .action(async (name: string, { kind, ...options }: AddOptions) => {
      const session = openSession(options, io);
      const address = (await askSecret(TEXT.askAddress, io, TEXT.pipeAddress)).trim();
      const body = { name, kind, address, ...filterOf(options) };
      const answer = await session.client.ask<Answer>("POST", PATH, { body });
      if (answer.secret !== undefined) session.say(says.signingSecret(name));
      session.print(answer, viewNotification(answer, io));
    });
  addFilter(addAsking(program, "notify edit").argument("<name>", TEXT.receiver))
    .option("--no-errors", TEXT.noErrors)
    .option("--address-stdin", TEXT.addressStdin)
    .option("--rotate", TEXT.rotate)
    .action(async (name: string, { addressStdin, rotate, ...options }: EditOptions) => {
      const session = openSession(options, io);
      const address = addressStdin ? { address: (await askSecret(TEXT.askAddress, io, TEXT.pipeAddress)).trim() } : {};
      const body = { ...address, ...(rotate ? { rotate } : {}), ...filterOf(options) };
      const answer = await session.client.ask<Answer>("PATCH", pathOf(name), { body });
      if (answer.secret !== undefined) session.say(says.signingSecret(name));
      session.print(answer, viewNotification(answer, io));
    });
}

function addLooks(program: Command, io: Io): void {
  addAsking(program, "notify list").action(async (options: Common) => {
    const { client, print } = openSession(options, io);
    const { notifications } = await client.ask<{ notifications: NotificationDetail[] }>("GET", PATH);
    print(notifications, listNotifications(notifications, io));
  });
  addAsking(program, "notify show")
    .argument("<name>", TEXT.receiver)
    .action(async (name: string, options: Common) => {
      const { client, print } = openSession(options, io);
      const detail = await client.ask<NotificationDetail>("GET", pathOf(name));
      print(detail, viewNotification(detail, io));
    });
}

function addEnds(program: Command, io: Io): void {
  addAsking(program, "notify remove")
    .argument("<name>", TEXT.receiver)
    .option("--yes", TEXT.yes)
    .action(async (name: string, options: Common & { yes?: boolean }) => {
      const { client, confirm: done } = openSession(options, io);
      if (!options.yes && !(await confirm(says.confirmReceiverRemoval(name), io))) throw new Failure(TEXT.notRemoved);
      await client.ask("DELETE", pathOf(name));
      done({ name, removed: true }, says.receiverRemoved(name));
    });
  addAsking(program, "notify test")
    .argument("<name>", TEXT.receiver)
    .action(async (name: string, options: Common) => {
      const { client, print } = openSession(options, io);
      const result = await client.ask<NotificationTest>("POST", pathOf(name, "/test"));
      print(result, `${says.receiverTested(name, result)}\n`);
      if (!result.isSent) throw new Verdict(1);
    });
}

function addFilter(command: Command): Command {
  return command
    .option("--events <globs>", TEXT.eventGlobs, parseGlobs)
    .option("--sources <globs>", TEXT.sourceGlobs, parseGlobs)
    .option("--functions <globs>", TEXT.functionGlobs, parseGlobs)
    .option("--accounts <globs>", TEXT.accountGlobs, parseGlobs)
    .option("--errors", TEXT.onlyErrors);
}

function parseGlobs(raw: string): string[] {
  const globs = raw.split(",").map((glob) => glob.trim());
  if (globs.every((glob) => /^[a-z0-9.*-]+$/.test(glob))) return globs;
  throw new InvalidArgumentError(says.badGlobs(raw));
}

/** What was named, and nothing else. */
function filterOf({ events, sources, functions, accounts, errors: errorsOnly }: FilterOptions): object {
  const told = Object.entries({ events, sources, functions, accounts, errorsOnly });
  return Object.fromEntries(told.filter(([, value]) => value !== undefined));
}
