// Loaded into an agent by `node --import`: at SIGUSR2 the time of day jumps by as many milliseconds as the file CLOCK_FILE
// says. Timers and the monotonic clock go on as they do when somebody sets a machine's clock.

import { readFileSync, writeSync } from "node:fs";

const RealDate = Date;
let offset = read();

function read(): number {
  return Number(readFileSync(process.env.CLOCK_FILE ?? "", "utf8"));
}

globalThis.Date = class extends RealDate {
  constructor(...args: [] | [string | number | Date]) {
    if (args.length) super(...(args as [string]));
    else super(RealDate.now() + offset);
  }
  static override now(): number {
    return RealDate.now() + offset;
  }
} as DateConstructor;

process.on("SIGUSR2", () => {
  offset = read();
  writeSync(2, `the clock jumped to ${offset}\n`);
});
