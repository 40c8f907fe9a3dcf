// Loaded into an agent by `node --import`, before its own code: counts what the agent does to files, to its registry, to
// processes and sockets, from SIGUSR2 on, and kills the agent right before the step that KILL_AT says. Nothing of this is
// in the product. SIGWINCH lets it say how many steps there were.

import child from "node:child_process";
import fs from "node:fs";
import http from "node:http";
import { syncBuiltinESMExports } from "node:module";
import Database from "better-sqlite3";

const at = Number(process.env.KILL_AT);
let isCounting = false;
let count = 0;

function step(name: string): void {
  if (!isCounting) return;
  count += 1;
  if (count !== at) return;
  fs.writeSync(2, `killed before step ${count}: ${name}\n`);
  process.kill(process.pid, "SIGKILL");
}

function countCalls(target: object, names: string[]): void {
  const methods = target as Record<string, unknown>;
  for (const name of names) {
    const before = methods[name];
    if (typeof before !== "function") throw new TypeError(`there is no "${name}" to count any more`);
    methods[name] = function counted(this: unknown, ...args: unknown[]) {
      step(`${name} ${typeof args[0] === "string" ? args[0].slice(0, 200) : ""}`);
      return Reflect.apply(before, this, args);
    };
  }
}

countCalls(fs.promises, ["writeFile", "rename", "rm", "mkdir", "unlink", "open", "link", "symlink", "copyFile"]);
countCalls(child, ["spawn", "fork"]);
countCalls(http, ["request"]);
const database = new Database(":memory:");
countCalls(Object.getPrototypeOf(database.prepare("SELECT 1")), ["run"]);
database.close();
syncBuiltinESMExports();

process.on("SIGUSR2", () => {
  isCounting = true;
  fs.writeSync(2, "counting steps\n");
});
process.on("SIGWINCH", () => void fs.writeSync(2, `steps so far: ${count}\n`));
