// `wrkst d1 execute`, `import`, `export`: what a database holds.

import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { type Command, InvalidArgumentError, Option } from "commander";
import { type ResultSet, viewResults } from "../database-views.js";
import { type DatabaseSession, type OfDatabase, openDatabase } from "../databases.js";
import { saveTo } from "../download.js";
import { Failure } from "../failure.js";
import type { Io } from "../io.js";
import { tellingHowFar } from "../progress.js";
import { says, TEXT } from "../wording.js";
import { addOfDatabase } from "./command.js";

/** A statement may run for long; fetch itself gives up after five minutes without an answer. */
const LONG = 5 * 60_000;

interface ExecuteOptions extends OfDatabase {
  command?: string;
  file?: string;
}

interface ExportOptions extends OfDatabase {
  output?: string;
  data: boolean;
  schema: boolean;
  table: string[];
}

export function addContents(program: Command, io: Io): void {
  addOfDatabase(program, "d1 execute")
    .addOption(new Option("--command <sql>", TEXT.command).conflicts("file"))
    .option("--file <path>", TEXT.sqlFile)
    .action(async (wanted: string, options: ExecuteOptions) => {
      const { command, file } = options;
      if (command === undefined && file === undefined) throw new InvalidArgumentError(TEXT.commandOrFile);
      const session = await openDatabase(wanted, options, io);
      if (file !== undefined) return importFile(file, session);
      const body = { sql: command };
      const answer = await session.ask<{ results: ResultSet[] }>("POST", "/query", { body, timeout: LONG });
      session.print(answer.results, viewResults(answer.results));
    });
  addOfDatabase(program, "d1 import")
    .argument("<file>", TEXT.sqlFile)
    .action(async (wanted: string, file: string, options: OfDatabase) =>
      importFile(file, await openDatabase(wanted, options, io)),
    );
  addOfDatabase(program, "d1 export")
    .option("--output <path>", TEXT.output)
    .option("--no-data", TEXT.noData)
    .option("--no-schema", TEXT.noSchema)
    .option("--table <name>", TEXT.table, (name: string, sofar: string[]) => [...sofar, name], [])
    .action(async (wanted: string, options: ExportOptions) => {
      const session = await openDatabase(wanted, options, io);
      const query = {
        ...{ noData: String(!options.data), noSchema: String(!options.schema) },
        ...(options.table.length ? { tables: options.table.join(",") } : {}),
      };
      const response = await session.client.open(await session.path("/export", query), { accept: "application/sql" });
      await saveTo(response, options.output, session);
    });
}

async function importFile(name: string, { ask, io, print, say }: DatabaseSession): Promise<void> {
  const file = resolve(io.folder, name);
  const { size } = await stat(file).catch((error: NodeJS.ErrnoException) => {
    throw new Failure(says.unreadable(file, error.code ?? ""));
  });
  say(says.sending(name, size));
  const stream = () => tellingHowFar(createReadStream(file), (bytes) => say(says.sent(bytes, size)));
  const headers = { "content-type": "application/sql" };
  const done = await ask<{ queries: number; snapshot: string }>("POST", "/import", { stream, headers, timeout: 0 });
  print(done, says.imported(done.queries, done.snapshot));
}
