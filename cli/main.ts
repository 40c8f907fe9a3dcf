// The command `wrkst`: hands arguments, environment and streams to the program. The only file here that names process.env.

import { homedir } from "node:os";
import { openBrowser } from "./browser.js";
import { run } from "./program.js";

// Whoever reads only the first lines (`| head`) closes the pipe early, which is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));

// The first Ctrl-C lets the command clean up, the second ends it where it stands.
const interrupt = new AbortController();
process.once("SIGINT", () => interrupt.abort());

void run(process.argv.slice(2), {
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
}).then((code) => {
  process.exitCode = code;
});
