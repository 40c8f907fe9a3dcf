// The command `wrkst`: hands arguments, environment and streams to the program. The only file here that names process.env.

import { homedir } from "node:os";
import { openBrowser } from "./browser.js";
import { VERSION } from "./wording.js";

// Whoever reads only the first lines (`| head`) closes the pipe early, which is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));

const args = process.argv.slice(2);

/** What is asked for most by other programs needs nothing else of this one, and is not made to wait for it. */
if (args.length === 1 && (args[0] === "--version" || args[0] === "-V")) process.stdout.write(`${VERSION}\n`);
else void start();

async function start(): Promise<void> {
  // The first Ctrl-C lets the command clean up, the second ends it where it stands.
  const interrupt = new AbortController();
  process.once("SIGINT", () => interrupt.abort());
  const { run } = await import("./program.js");
  process.exitCode = await run(args, {
    env: process.env,
    folder: process.cwd(),
    home: homedir(),
    system: process.platform,
    // Opened at its first use: a terminal that nobody reads costs nothing.
    get input() {
      return process.stdin;
    },
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    colour: process.stdout.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== "dumb",
    now: Date.now,
    browse: (url) => openBrowser(url, process.platform, process.env),
    signal: interrupt.signal,
  });
}
