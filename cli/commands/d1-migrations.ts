// `wrkst d1 migrations`: changes of the schema. The server applies what the serving version brings; files are written here.

import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Command, InvalidArgumentError } from "commander";
import type { Migrations } from "../answers.js";
import { listMigrations } from "../database-views.js";
import { findDeclared, type OfDatabase, openDatabase } from "../databases.js";
import { Failure } from "../failure.js";
import type { Io } from "../io.js";
import { says, TEXT } from "../wording.js";
import { addCommand, addOfDatabase } from "./command.js";

/** As wrangler has it. */
const FOLDER = "migrations";
const LONG = 5 * 60_000;

export function addMigrations(program: Command, io: Io): void {
  addCommand(program, "d1 migrations");
  addOfDatabase(program, "d1 migrations list").action(async (wanted: string, options: OfDatabase) => {
    const { ask, print } = await openDatabase(wanted, options, io);
    const migrations = await ask<Migrations>("GET", "/migrations");
    const folder = await folderHere(wanted, options, io).catch(() => undefined);
    const local = folder === undefined ? [] : await namesIn(folder);
    print({ ...migrations, local }, listMigrations(migrations, local));
  });
  addOfDatabase(program, "d1 migrations apply").action(async (wanted: string, options: OfDatabase) => {
    const { ask, print, reference } = await openDatabase(wanted, options, io);
    const done = await ask<{ applied: string[]; snapshot: string | null }>("POST", "/migrations", { timeout: LONG });
    print(done, says.migrated(reference, done.applied, done.snapshot));
  });
  addCommand(program, "d1 migrations create")
    .argument("<database>", TEXT.database)
    .argument("<message>", TEXT.migration)
    .option("--env <name>", TEXT.env)
    .action(async (wanted: string, message: string, options: OfDatabase) => {
      if (!/^[\p{L}\p{N} ._-]{1,200}$/u.test(message)) throw new InvalidArgumentError(TEXT.badMigration);
      const folder = await folderHere(wanted, options, io);
      await mkdir(folder, { recursive: true });
      const number = nextNumber(await namesIn(folder));
      const file = join(folder, `${number}_${message.replaceAll(" ", "_")}.sql`);
      const head = `-- Migration number: ${number} \t ${new Date(io.now()).toISOString()}\n`;
      await writeFile(file, head, { flag: "wx" });
      io.out(`${file}\n`);
    });
}

/** The folder that the wrangler file here names for the database. @throws Failure */
async function folderHere(wanted: string, { env }: OfDatabase, { folder }: Io): Promise<string> {
  const { readProject } = await import("../project.js");
  const project = await readProject(folder, env);
  const declared = findDeclared(project, wanted);
  if (!declared) throw new Failure(says.notDeclared(wanted), TEXT.declareDatabase);
  return join(project.root, project.folder, declared.migrationsDir ?? FOLDER);
}

async function namesIn(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch((): string[] => []);
  return names.filter((name) => name.endsWith(".sql")).sort();
}

function nextNumber(names: string[]): string {
  const numbers = names.map((name) => Number.parseInt(name, 10)).filter(Number.isFinite);
  return String(Math.max(0, ...numbers) + 1).padStart(4, "0");
}
