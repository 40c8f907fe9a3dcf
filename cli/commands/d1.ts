// `wrkst d1`: databases, and who may use them.

import type { Command } from "commander";
import type { Activity, Database, Migrations, Snapshot } from "../answers.js";
import { Refusal } from "../client.js";
import { listDatabases, viewDatabase } from "../database-views.js";
import { databasesPath, type OfDatabase, openDatabase } from "../databases.js";
import { Failure } from "../failure.js";
import type { Io } from "../io.js";
import { confirm } from "../prompt.js";
import { type Common, openSession } from "../session.js";
import { says, TEXT } from "../wording.js";
import { addAsking, addCommand, addOfDatabase } from "./command.js";
import { addContents } from "./d1-contents.js";
import { addMigrations } from "./d1-migrations.js";
import { addSnapshots } from "./d1-snapshots.js";

export function addD1(program: Command, io: Io): void {
  addCommand(program, "d1");
  addLists(program, io);
  addLife(program, io);
  addContents(program, io);
  addSnapshots(program, io);
  addShares(program, io);
  addMigrations(program, io);
}

function addLists(program: Command, io: Io): void {
  addAsking(program, "d1 list")
    .option("--removed", TEXT.removed)
    .action(async (options: Common & { removed?: boolean }) => {
      const session = openSession(options, io);
      const path = await databasesPath(session, "", options.removed ? { removed: "true" } : {});
      const { databases } = await session.client.ask<{ databases: Database[] }>("GET", path);
      session.print(
        databases,
        listDatabases(databases, io, options.removed ? TEXT.noRemovedDatabase : TEXT.noDatabase),
      );
    });
  addOfDatabase(program, "d1 info").action(async (wanted: string, options: OfDatabase) => {
    const { ask, print } = await openDatabase(wanted, options, io);
    const [database, activity, { snapshots }, migrations] = await Promise.all([
      ask<Database>("GET"),
      orForbidden(ask<Activity>("GET", "/activity")),
      ask<{ snapshots: Snapshot[] }>("GET", "/snapshots"),
      ask<Migrations>("GET", "/migrations"),
    ]);
    const parts = { database, activity, snapshots, migrations };
    print({ ...database, activity, migrations, lastSnapshot: snapshots[0] ?? null }, viewDatabase(parts, io));
  });
}

/** What is asked of a database is private to its account. */
async function orForbidden<T>(answer: Promise<T>): Promise<T | null> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof Refusal && error.status === 403) return null;
    throw error;
  }
}

function addLife(program: Command, io: Io): void {
  addAsking(program, "d1 create")
    .argument("<name>", TEXT.databaseName)
    .action(async (name: string, options: Common) => {
      const session = openSession(options, io);
      const path = await databasesPath(session, "");
      const made = await session.client.ask<Database>("POST", path, { body: { name } });
      session.print(made, says.databaseMade(made.name, made.id));
    });
  addOfDatabase(program, "d1 delete")
    .option("--yes", TEXT.yes)
    .option("--force", TEXT.forceDatabase)
    .action(async (wanted: string, options: OfDatabase & { yes?: boolean; force?: boolean }) => {
      const { client, path, reference, confirm: done } = await openDatabase(wanted, options, io);
      if (!options.yes && !(await confirm(says.confirmDatabase(reference), io))) throw new Failure(TEXT.notDeleted);
      await client.ask("DELETE", await path("", options.force ? { force: "true" } : {}));
      done({ database: reference, deleted: true }, says.databaseDeleted(reference));
    });
  addOfDatabase(program, "d1 undelete").action(async (wanted: string, options: OfDatabase) => {
    const { ask, confirm: done } = await openDatabase(wanted, options, io);
    const back = await ask<Database>("POST", "/undelete");
    done(back, says.databaseBack(back.name));
  });
}

function addShares(program: Command, io: Io): void {
  for (const [path, method, said] of [
    ["d1 share", "PUT", says.shared],
    ["d1 unshare", "DELETE", says.unshared],
  ] as const) {
    addOfDatabase(program, path)
      .argument("<function>", TEXT.shareWith)
      .action(async (wanted: string, name: string, options: OfDatabase) => {
        const { ask, reference, confirm: done } = await openDatabase(wanted, options, io);
        await ask(method, `/shares/${encodeURIComponent(name)}`);
        done({ database: reference, function: name, shared: method === "PUT" }, said(reference, name));
      });
  }
}
