// `wrkst config`: which server is meant when none is named.

import type { Command } from "commander";
import { openConfigFile } from "../config-file.js";
import type { Io } from "../io.js";
import { addCommon, type Common, openSession, parseUrl } from "../session.js";
import { formatPairs } from "../table.js";
import { says, TEXT } from "../wording.js";
import { addCommand } from "./command.js";

export function addConfig(program: Command, io: Io): void {
  addCommand(program, "config");
  addCommand(program, "config set-url")
    .argument("<address>", TEXT.address)
    .option("--json", TEXT.json)
    .action(async (address: string, options: Common) => {
      const url = parseUrl(address);
      await openConfigFile(io).update((config) => {
        config.url = url.origin;
      });
      openSession({ ...options, url: url.origin }, io).confirm({ url: url.origin }, says.urlSet(url.origin));
    });
  addCommon(addCommand(program, "config get")).action((options: Common) => {
    const { config, client, print } = openSession(options, io);
    const entry = config.read().servers[client.url.origin];
    const account = options.account ?? (io.env.WRKST_ACCOUNT || entry?.account) ?? null;
    const answer = { url: client.url.origin, account, loggedIn: entry?.login !== undefined, file: config.path };
    const { url, loggedIn, file } = answer;
    print(
      answer,
      formatPairs([
        ["url", url],
        ["account", account],
        ["login", loggedIn ? "yes" : "no"],
        ["file", file],
      ]),
    );
  });
}
