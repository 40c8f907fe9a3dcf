// Databases, snapshots, migrations and rows as text for people. Pure.

import type { D1Value } from "../runtime/d1/wire.js";
import type { Activity, Database, Migrations, Snapshot } from "./answers.js";
import { ago, type Clock } from "./lists.js";
import { formatPairs, formatTable } from "./table.js";
import { printable, says, size, TEXT } from "./wording.js";

export function listDatabases(databases: Database[], clock: Clock, none: string = TEXT.noDatabase): string {
  if (databases.length === 0) return `${none}\n`;
  return formatTable(
    ["NAME", "ID", "SIZE", "USED BY", "CREATED"],
    databases.map((one) => ({
      cells: [
        one.name,
        one.id,
        size(one.size),
        one.uses.map((use) => use.function).join(", ") || "-",
        ago(one.createdAt, clock),
      ].map(printable),
    })),
  );
}

export interface DatabaseParts {
  database: Database;
  /** null: not for who asks. */
  activity: Activity | null;
  snapshots: Snapshot[];
  migrations: Migrations;
}

export function viewDatabase({ database, activity, snapshots, migrations }: DatabaseParts, clock: Clock): string {
  const [newest] = snapshots;
  const slowest = activity?.slowest ?? [];
  return [
    `${printable(database.name)}\n`,
    formatPairs([
      ["id", database.id],
      ["account", database.account],
      ["created", ago(database.createdAt, clock)],
      ["size", size(database.size)],
      ["tables", database.tables === null ? null : String(database.tables)],
      ["used by", database.uses.map(viewUse).join(", ") || "-"],
      ["last snapshot", newest ? `${newest.id}, ${newest.cause}, ${ago(newest.at, clock)}` : "-"],
      ["migrations", says.migrationsOf(migrations.applied.length, migrations.pending)],
      ["last day", activity && says.activity(activity)],
      ["statements", activity && activity.queries > activity.errors ? says.latency(activity) : null],
    ]),
    ...(slowest.length ? [`${TEXT.slowest}\n`, ...slowest.map(says.slow)] : []),
  ].join("");
}

function viewUse({ function: name, bindings, isOwner }: Database["uses"][number]): string {
  const more = [...bindings, ...(isOwner ? [says.owner] : [])];
  return more.length ? `${name} (${more.join(", ")})` : name;
}

export function listSnapshots(snapshots: Snapshot[], clock: Clock): string {
  return formatTable(
    ["SNAPSHOT", "TAKEN", "CAUSE", "SIZE", "MIGRATIONS"],
    snapshots.map(({ id, at, cause, size: bytes, migrations }) => ({
      cells: [id, ago(at, clock), cause, size(bytes), migrations.at(-1) ?? "-"].map(printable),
    })),
  );
}

/** `local`: names of the files that lie here. */
export function listMigrations({ applied, pending }: Migrations, local: string[]): string {
  const known = new Set([...applied.map(({ name }) => name), ...pending]);
  const rows = [
    ...applied.map(({ name, at }) => [name, `applied ${at}`]),
    ...pending.map((name) => [name, "pending"]),
    ...local.filter((name) => !known.has(name)).map((name) => [name, "not live"]),
  ];
  return formatTable(
    ["MIGRATION", "STATE"],
    rows.map((cells) => ({ cells: cells.map(printable) })),
  );
}

export interface ResultSet {
  columns: string[];
  rows: D1Value[][];
  meta: { changes: number; rows_read: number; rows_written: number; duration: number };
}

export function viewResults(results: ResultSet[]): string {
  return results
    .map(({ columns, rows, meta }) => {
      const isRead = columns.length > 0;
      const table = isRead
        ? formatTable(
            columns.map(printable),
            rows.map((row) => ({ cells: row.map(viewCell) })),
          )
        : "";
      return `${table}${says.ran(meta, isRead ? rows.length : null)}`;
    })
    .join("\n");
}

const LONGEST_CELL = 200;

function viewCell(cell: D1Value): string {
  if (cell === null) return "null";
  const text = Array.isArray(cell) ? `x'${Buffer.from(cell).toString("hex")}'` : printable(String(cell));
  return text.length > LONGEST_CELL ? `${text.slice(0, LONGEST_CELL)}…` : text;
}
