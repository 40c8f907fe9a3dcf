// How commands are declared: their words come from one place, and each opens a session for what it asks.

import type { Command } from "commander";
import { Refusal } from "../client.js";
import { Failure } from "../failure.js";
import type { Io } from "../io.js";
import { addCommon, type Common, openSession, type Session } from "../session.js";
import { COMMANDS, examples, says, TEXT } from "../wording.js";

/** Which group of the help a command stands in, and its words. */
export type CommandPath = keyof typeof COMMANDS;

/** A command by its path, e.g. `versions list`; its parents are declared before it. */
export function addCommand(program: Command, path: CommandPath): Command {
  const words = path.split(" ");
  const name = words.pop() ?? "";
  const parent = words.reduce((above, word) => above.commands.find((one) => one.name() === word) ?? above, program);
  const { about, ...more } = COMMANDS[path] as { about: string; examples?: string[]; group?: string };
  const command = parent.command(name).description(about);
  if (more.group) command.helpGroup(more.group);
  if (more.examples) command.addHelpText("after", examples(more.examples));
  return command;
}

/** A command that asks the server. */
export function addAsking(program: Command, path: CommandPath): Command {
  return addCommon(addCommand(program, path));
}

/** A command about one function: that of the wrangler file here, unless it is named. */
export function addOfFunction(program: Command, path: CommandPath): Command {
  return addAsking(program, path).option("--name <function>", TEXT.name).option("--env <name>", TEXT.env);
}

/** A command about one database. */
export function addOfDatabase(program: Command, path: CommandPath): Command {
  return addAsking(program, path).argument("<database>", TEXT.database).option("--env <name>", TEXT.env);
}

export interface OfFunction extends Common {
  name?: string;
  env?: string;
}

/**
 * The session and the function that are meant: named as an argument, by `--name`, or by the wrangler file here. `hint`: how to
 * name it, where nothing does.
 */
export async function openFunction(
  options: OfFunction,
  io: Io,
  named?: string,
  hint: string = TEXT.nameFunction,
): Promise<Session & { name: string }> {
  const session = openSession(options, io);
  return { ...session, name: named ?? options.name ?? (await nameHere(options, io, hint)) };
}

async function nameHere({ env }: OfFunction, io: Io, hint: string): Promise<string> {
  const { findFunctionFolder, readProject } = await import("../project.js");
  if (findFunctionFolder(io.folder) === undefined) throw new Failure(says.noFunctionNamed(io.folder), hint);
  return (await readProject(io.folder, env)).manifest.name;
}

/** Of a command whose argument is a version: people take it for the name of a function. */
export function openOfVersion(
  options: OfFunction,
  io: Io,
  { command, version }: { command: CommandPath; version: string | undefined },
): Promise<Session & { name: string }> {
  return openFunction(options, io, undefined, says.nameBeside(command, version));
}

/** The server's answer about that version; where it knows none, with both readings of the word. */
export async function explainVersion<T>(
  answer: Promise<T>,
  { command, version, name }: { command: CommandPath; version: string | undefined; name: string },
): Promise<T> {
  return answer.catch((error: unknown) => {
    if (!(error instanceof Refusal) || error.code !== "ERR_VERSION_NOT_FOUND" || version === undefined) throw error;
    throw new Failure(error.message, says.isVersion(command, version, name));
  });
}
