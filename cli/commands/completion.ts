// `wrkst completion`: the script that a shell asks for what may follow, made from the commands themselves.

import { Argument, type Command } from "commander";
import { completionScript, SHELLS, type Shell } from "../completion.js";
import type { Io } from "../io.js";
import { TEXT } from "../wording.js";
import { addCommand } from "./command.js";

export function addCompletion(program: Command, io: Io): void {
  addCommand(program, "completion")
    .addArgument(new Argument("<shell>", TEXT.shell).choices(SHELLS))
    .action((shell: Shell) => io.out(completionScript(shell, nodesOf(program))));
}

function nodesOf(command: Command, path: string[] = []): { path: string[]; words: string[]; about: string }[] {
  const options = command.options.flatMap(({ long }) => (long ? [long] : []));
  const words = [...command.commands.map((child) => child.name()), ...options, "--help"];
  const below = command.commands.flatMap((child) => nodesOf(child, [...path, child.name()]));
  return [{ path, words, about: command.description() }, ...below];
}
