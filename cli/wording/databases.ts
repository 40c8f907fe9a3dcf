// What is said of databases. Pure.

import type { Activity } from "../answers.js";
import { count, printable, size } from "./printing.js";

export const saysOfDatabases = {
  bound: (binding: string, database: string, problem?: string) =>
    `${binding} → ${database}${problem === undefined ? "" : `: ${problem}`}`,
  createdDatabase: (name: string, id: string) => `created empty database "${name}" (id ${id})`,
  databaseMade: (name: string, id: string) => `${printable(name)}  ${id}\n`,
  confirmDatabase: (name: string) => `delete the database "${name}"?`,
  databaseDeleted: (name: string) => `deleted "${name}"; "wrkst d1 undelete ${name}" brings it back`,
  databaseBack: (name: string) => `"${name}" is back`,
  shared: (name: string, other: string) => `"${other}" may use "${name}"`,
  unshared: (name: string, other: string) => `"${other}" may not use "${name}" any more`,
  sending: (file: string, bytes: number) => `sending ${file}, ${size(bytes)}`,
  sent: (bytes: number, of: number) => `  ${Math.floor((100 * bytes) / of)} %, ${size(bytes)}`,
  imported: (queries: number, snapshot: string) =>
    `ran ${count(queries, "statement")}; the state before is snapshot ${snapshot}\n`,
  wrote: (file: string, bytes: number) => `wrote ${file}, ${size(bytes)}`,
  fetched: (bytes: number) => `  ${size(bytes)}`,
  ran: (meta: { changes: number; rows_read: number; rows_written: number; duration: number }, rows: number | null) =>
    `${rows === null ? `${count(meta.changes, "row")} changed` : count(rows, "row")}, ${meta.duration.toFixed(1)} ms, ` +
    `${meta.rows_read} read, ${meta.rows_written} written\n`,
  snapshotTaken: (name: string, id: string) => `${printable(name)}: snapshot ${id}\n`,
  confirmRestore: (name: string, to: string) => `let "${name}" be as it was at ${to}? what is there now is kept`,
  seeSnapshots: (name: string) => `see: wrkst d1 snapshots ${name}`,
  /** `undone`: migrations that the state before had, and this one has not. */
  restored: (name: string, at: string, before: string, undone: string[]) =>
    `${printable(name)} is as it was at ${at}; the state before is snapshot ${before}\n` +
    (undone.length
      ? `without ${undone.map(printable).join(", ")}: "wrkst d1 migrations apply ${printable(name)}" applies what serves\n`
      : ""),
  bookmark: (name: string, id: string) => `${id}\n\nto go back to it:\n  wrkst d1 restore ${printable(name)} ${id}\n`,
  badPoint: (raw: string) =>
    `expected the id of a snapshot, a time such as "2026-11-23T10:00:00Z" or "2h", received "${raw}"`,
  badTime: (raw: string) => `expected a time such as "2026-11-23T10:00:00Z" or "2h", received "${raw}"`,
  notDeclared: (name: string) => `the wrangler file here declares no database "${name}"`,
  migrated: (name: string, applied: string[], snapshot: string | null) =>
    applied.length === 0
      ? `${printable(name)}: nothing is pending\n`
      : `${applied.map((one) => `applied ${printable(one)}\n`).join("")}the state before is snapshot ${snapshot}\n`,
  activity: (day: Pick<Activity, "queries" | "writes" | "errors" | "rowsRead" | "rowsWritten" | "milliseconds">) =>
    `${count(day.queries, "query", "queries")} (${count(day.writes, "write")}), ${count(day.errors, "error")}, ` +
    `${count(day.rowsRead, "row")} read, ${count(day.rowsWritten, "row")} written, ${day.milliseconds} ms`,
  latency: ({ p50, p99 }: Pick<Activity, "p50" | "p99">) => {
    const upTo = (milliseconds: number | null) => (milliseconds === null ? "longer" : `up to ${milliseconds} ms`);
    return `half took ${upTo(p50)}, 99 of 100 ${upTo(p99)}`;
  },
  migrationsOf: (applied: number, pending: string[]) =>
    `${applied} applied${pending.length ? `, pending: ${pending.join(", ")}` : ""}`,
  owner: "owner",
  slow: (one: { milliseconds: number; rowsRead: number; sql: string }) =>
    `  ${one.milliseconds} ms, ${count(one.rowsRead, "row")} read: ${printable(one.sql)}\n`,
};
