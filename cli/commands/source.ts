// `wrkst source`: the repositories that are followed.

import type { Command } from "commander";
import type { Io } from "../io.js";
import { addCommand } from "./command.js";
import { addSourceWebhook } from "./source-webhook.js";

export function addSource(program: Command, io: Io): void {
  addCommand(program, "source");
  addSourceWebhook(program, io);
}
