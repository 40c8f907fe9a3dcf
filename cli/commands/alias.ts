// `wrkst alias`, `pin`, `unpin`: names that lead to versions, and a person's hold on them.

import type { Command } from "commander";
import type { Hold } from "../../agent/model.js";
import type { Alias } from "../answers.js";
import { parseExpiry } from "../duration.js";
import { Failure } from "../failure.js";
import type { Io } from "../io.js";
import { listAliases } from "../lists.js";
import { functionPath } from "../session.js";
import { says, TEXT } from "../wording.js";
import { addCommand, addOfFunction, explainVersion, type OfFunction, openFunction, openOfVersion } from "./command.js";

export function addAlias(program: Command, io: Io): void {
  addCommand(program, "alias");
  addOfFunction(program, "alias list").action(async (options: OfFunction) => {
    const { name, script, print } = await openFunction(options, io);
    const aliases = await script<Alias[]>("GET", name, "aliases");
    print(aliases, listAliases(aliases));
  });
  addOfFunction(program, "alias set")
    .argument("<alias>", TEXT.alias)
    .argument("<version>", TEXT.version)
    .action(async (alias: string, version: string, options: OfFunction) => {
      const { name, script, print } = await openFunction(options, io);
      const body = { version_id: version };
      const set = await script<Alias>("PUT", name, `aliases/${encodeURIComponent(alias)}`, { body });
      print(set, says.aliasSet(name, alias, set.version_id, set.url));
    });
  addOfFunction(program, "alias delete")
    .argument("<alias>", TEXT.alias)
    .action(async (alias: string, options: OfFunction) => {
      const { name, script, confirm } = await openFunction(options, io);
      await script("DELETE", name, `aliases/${encodeURIComponent(alias)}`);
      confirm({ function: name, alias, deleted: true }, says.aliasDeleted(name, alias));
    });
}

interface PinOptions extends OfFunction {
  alias: string;
  reason?: string;
  expires?: string;
}

export function addPins(program: Command, io: Io): void {
  addOfFunction(program, "pin")
    .argument("[version]", TEXT.pinTo)
    .option("--alias <name>", TEXT.pinAlias, "latest")
    .option("--reason <text>", TEXT.reason)
    .option("--expires <duration>", TEXT.expires)
    .action(async (wanted: string | undefined, { alias, reason, expires, ...options }: PinOptions) => {
      const until = expires === undefined ? undefined : parseExpiry(expires, io.now());
      const meant = { command: "pin", version: wanted } as const;
      const { name, client, print } = await openOfVersion(options, io, meant);
      const version = wanted ?? (await client.ask<{ version: string | null }>("GET", functionPath(name))).version;
      if (!version) throw new Failure(says.neverDeployed(name));
      const body = { version, ...(reason && { reason }), ...(until && { expires: until }) };
      const hold = await explainVersion(client.ask<Hold>("PUT", pinPath(name, alias), { body }), { ...meant, name });
      print(hold, `${says.pinned(name, { ...hold, alias, version: hold.version ?? version })}\n`);
    });
  addOfFunction(program, "unpin")
    .argument("[function]", TEXT.function)
    .option("--alias <name>", TEXT.pinAlias, "latest")
    .action(async (wanted: string | undefined, { alias, ...options }: OfFunction & { alias: string }) => {
      const { name, client, confirm } = await openFunction(options, io, wanted);
      await client.ask("DELETE", pinPath(name, alias));
      confirm({ function: name, alias, released: true }, says.unpinned(name, alias));
    });
}

const pinPath = (name: string, alias: string) => functionPath(name, `/pins/${encodeURIComponent(alias)}`);
