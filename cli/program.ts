// The command line of `wrkst`. Results go to `out`, all else to `err`; the exit code is 0, 1 for a failure, 2 for wrong
// usage, 130 after Ctrl-C.

import { Command, CommanderError, InvalidArgumentError } from "commander";
import { addTokens, addUsers } from "./commands/access.js";
import { addAlias, addPins } from "./commands/alias.js";
import { addCompletion } from "./commands/completion.js";
import { addConfig } from "./commands/config.js";
import { addD1 } from "./commands/d1.js";
import { addDeploy } from "./commands/deploy.js";
import { addDeployments, addRollback } from "./commands/deployments.js";
import { addDelete, addOpen, addRestore, addResume } from "./commands/functions.js";
import { addInit } from "./commands/init.js";
import { addLogin } from "./commands/login.js";
import { addSecret } from "./commands/secret.js";
import { addEvents, addStatus, addSync, addWhy } from "./commands/status.js";
import { addLogs, addTail } from "./commands/tail.js";
import { addVersions } from "./commands/versions.js";
import { failureOf } from "./failure.js";
import type { Io } from "./io.js";
import { Interrupted } from "./prompt.js";
import { examples, says, TEXT, VERSION } from "./wording.js";

type Declare = (program: Command, io: Io) => void;

/** In the order of the help, by the first words that they answer to. */
const COMMANDS: [words: string[], declare: Declare][] = [
  [["init"], addInit],
  [["deploy"], addDeploy],
  [["versions"], addVersions],
  [["deployments"], addDeployments],
  [["rollback"], addRollback],
  [["alias"], addAlias],
  [["pin", "unpin"], addPins],
  [["secret"], addSecret],
  [["d1"], addD1],
  [["delete"], addDelete],
  [["restore"], addRestore],
  [["resume"], addResume],
  [["status"], addStatus],
  [["why"], addWhy],
  [["sync"], addSync],
  [["events"], addEvents],
  [["tail"], addTail],
  [["logs"], addLogs],
  [["open"], addOpen],
  [["login", "logout", "whoami"], addLogin],
  [["config"], addConfig],
  [["tokens"], addTokens],
  [["users"], addUsers],
  // Completes all of them, so it needs all of them.
  [[], addCompletion],
];

/** Runs one command. Never throws; the answer is the exit code. */
export async function run(args: string[], io: Io): Promise<number> {
  try {
    await createProgram(args, io).parseAsync(args, { from: "user" });
    return 0;
  } catch (error) {
    if (io.signal.aborted || error instanceof Interrupted) return 130;
    if (error instanceof InvalidArgumentError) return misused(error.message, io);
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    const { message, hint } = failureOf(error);
    io.err(says.error(message));
    if (hint) io.err(says.hint(hint));
    return 1;
  }
}

/** Declares what the first word names, to start sooner; everything where it names nothing, for help and suggestions. */
function createProgram(args: string[], io: Io): Command {
  const program = new Command("wrkst").description(TEXT.program).version(VERSION);
  program.addHelpText("after", examples(TEXT.firstSteps));
  program.exitOverride().configureOutput({
    writeOut: io.out,
    writeErr: io.err,
    outputError: (text) => misused(inOurWords(text), io),
  });
  const named = COMMANDS.filter(([words]) => args[0] !== undefined && words.includes(args[0]));
  for (const [, declare] of named.length ? named : COMMANDS) declare(program, io);
  return program;
}

const inOurWords = (text: string) =>
  text
    .replace(/^error: /, "")
    .replace(/\n\(Did you mean (.*?)\?\)/, ": did you mean $1?")
    .trimEnd();

function misused(message: string, io: Io): number {
  io.err(says.error(message) + says.hint(TEXT.seeHelp));
  return 2;
}
