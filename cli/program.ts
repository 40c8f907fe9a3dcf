// The command line of `wrkst`. Results go to `out`, all else to `err`; the exit code is 0, 1 for a failure, 2 for wrong
// usage, 130 after Ctrl-C; "diff" ends with 2 where something would change.

import { Command, CommanderError, InvalidArgumentError } from "commander";
import { failureOf, Verdict } from "./failure.js";
import type { Io } from "./io.js";
import { Interrupted } from "./prompt.js";
import { examples, says, TEXT, VERSION } from "./wording.js";

type Declare = (program: Command, io: Io) => void;

/** In the order of the help, by the first words that they answer to. What is not asked for is not loaded. */
const COMMANDS: [words: string[], load: () => Promise<Declare>][] = [
  [["init"], async () => (await import("./commands/init.js")).addInit],
  [["deploy"], async () => (await import("./commands/deploy.js")).addDeploy],
  [["versions"], async () => (await import("./commands/versions.js")).addVersions],
  [["deployments"], async () => (await import("./commands/deployments.js")).addDeployments],
  [["rollback"], async () => (await import("./commands/deployments.js")).addRollback],
  [["promote"], async () => (await import("./commands/functions.js")).addPromote],
  [["alias"], async () => (await import("./commands/alias.js")).addAlias],
  [["pin", "unpin"], async () => (await import("./commands/alias.js")).addPins],
  [["secret"], async () => (await import("./commands/secret.js")).addSecret],
  [["d1"], async () => (await import("./commands/d1.js")).addD1],
  [["delete"], async () => (await import("./commands/functions.js")).addDelete],
  [["restore"], async () => (await import("./commands/functions.js")).addRestore],
  [["suspend"], async () => (await import("./commands/functions.js")).addSuspend],
  [["resume"], async () => (await import("./commands/functions.js")).addResume],
  [["status"], async () => (await import("./commands/status.js")).addStatus],
  [["why"], async () => (await import("./commands/status.js")).addWhy],
  [["diff"], async () => (await import("./commands/diff.js")).addDiff],
  [["sync"], async () => (await import("./commands/status.js")).addSync],
  [["source"], async () => (await import("./commands/source.js")).addSource],
  [["notify"], async () => (await import("./commands/notify.js")).addNotify],
  [["events"], async () => (await import("./commands/events.js")).addEvents],
  [["tail"], async () => (await import("./commands/tail.js")).addTail],
  [["logs"], async () => (await import("./commands/tail.js")).addLogs],
  [["open"], async () => (await import("./commands/previews.js")).addOpen],
  [["previews"], async () => (await import("./commands/previews.js")).addPreviews],
  [["login", "logout", "whoami"], async () => (await import("./commands/login.js")).addLogin],
  [["config"], async () => (await import("./commands/config.js")).addConfig],
  [["tokens"], async () => (await import("./commands/access.js")).addTokens],
  [["users"], async () => (await import("./commands/access.js")).addUsers],
  // Completes all of them, so it needs all of them.
  [[], async () => (await import("./commands/completion.js")).addCompletion],
];

/** Runs one command. Never throws; the answer is the exit code. */
export async function run(args: string[], io: Io): Promise<number> {
  const program = new Command("wrkst");
  try {
    await declare(program, args, io);
    await program.parseAsync(args, { from: "user" });
    return 0;
  } catch (error) {
    if (io.signal.aborted || error instanceof Interrupted) return 130;
    if (error instanceof Verdict) return error.exitCode;
    if (error instanceof InvalidArgumentError) return misused(error.message, commandIn(args, program), io);
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    const { message, hint } = failureOf(error);
    io.err(says.error(message));
    if (hint) io.err(says.hint(hint));
    return 1;
  }
}

/** Declares what the first word names, to start sooner; everything where it names nothing, for help and suggestions. */
async function declare(program: Command, args: string[], io: Io): Promise<void> {
  program.description(TEXT.program).version(VERSION);
  program.addHelpText("after", examples(TEXT.firstSteps));
  program.exitOverride().configureOutput({
    writeOut: io.out,
    writeErr: io.err,
    outputError: (text) => misused(inOurWords(text), commandIn(args, program), io),
  });
  const named = COMMANDS.filter(([words]) => args[0] !== undefined && words.includes(args[0]));
  for (const [, load] of named.length ? named : COMMANDS) (await load())(program, io);
}

/** The command that is meant, as far as the first words name one: `wrkst source add`. */
function commandIn([word, ...rest]: string[], command: Command): string {
  const below = command.commands.find((one) => one.name() === word);
  return below ? `${command.name()} ${commandIn(rest, below)}` : command.name();
}

const inOurWords = (text: string) =>
  text
    .replace(/^error: /, "")
    .replace(/\. (?:expected|Allowed choices are) (.*?)\.?\n?$/s, ": expected $1")
    .replace(/\n\(Did you mean (.*?)\?\)/, ": did you mean $1?")
    .trimEnd();

function misused(message: string, command: string, io: Io): number {
  io.err(says.error(message) + says.hint(says.seeHelp(command)));
  return 2;
}
