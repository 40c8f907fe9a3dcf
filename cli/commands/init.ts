// `wrkst init`: the first files of a functions repository or of one function. Never overwrites a file.

import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { basename, dirname, join, relative, resolve } from "node:path";
import { type Command, Option } from "commander";
import { openConfigFile } from "../config-file.js";
import { Failure } from "../failure.js";
import type { Io } from "../io.js";
import { resolveUrl } from "../session.js";
import { filesOf, TEMPLATES, type Template } from "../templates.js";
import { says, TEXT } from "../wording.js";
import { addCommand } from "./command.js";

export function addInit(program: Command, io: Io): void {
  addCommand(program, "init")
    .argument("[folder]", TEXT.initFolder, ".")
    .addOption(new Option("--template <name>", TEXT.template).choices(TEMPLATES))
    .option("--name <function>", TEXT.nameInit)
    .action(async (folder: string, { template, name }: { template?: Template; name?: string }) => {
      const target = resolve(io.folder, folder);
      const chosen = template ?? (isInRepository(target) ? "function" : "repository");
      const files = filesOf(chosen, name ?? (chosen === "repository" ? "hello" : nameOf(target)));
      const there = Object.keys(files).find((path) => existsSync(join(target, path)));
      if (there !== undefined) throw new Failure(says.fileThere(join(folder, there)), TEXT.otherFolder);
      for (const [path, content] of Object.entries(files)) {
        await mkdir(dirname(join(target, path)), { recursive: true });
        await writeFile(join(target, path), content, { flag: "wx" });
        io.err(`${says.written(relative(io.folder, join(target, path)))}\n`);
      }
      const { origin } = resolveUrl({}, io, openConfigFile(io));
      io.err(chosen === "repository" ? says.nextOfRepository(folder, origin) : says.nextOfFunction(folder));
    });
}

function isInRepository(folder: string): boolean {
  return existsSync(join(folder, ".git")) || (dirname(folder) !== folder && isInRepository(dirname(folder)));
}

/** The folder's name as a function's. */
function nameOf(folder: string): string {
  const name = basename(folder)
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "")
    .slice(0, 53);
  return name.replace(/-$/, "") || "hello";
}
