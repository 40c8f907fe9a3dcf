// A database as SQL statements, in the form in which D1 exports it: made in pieces, so that its size does not matter.
// Whoever reads on must make sure that nothing is written meanwhile.
import type { D1Dump } from "./wire.js";

type Wanted = Omit<D1Dump, "object">;

/**
 * Yields texts of one or more statements, each ending in a new line.
 * @throws Error with D1's words, at once, where there is what no SQL can bring back
 */
export function dumpOf(sql: SqlStorage, wanted: Wanted): Generator<string> {
  const only = new Set(wanted.tables);
  const isWanted = ({ name }: Entry) => only.size === 0 || only.has(name);
  const tables = [...sql.exec<Entry>(TABLES)].filter((table) => isWanted(table) && !table.name.startsWith("_cf_"));
  if (tables.some((table) => /^create\s+virtual\s/i.test(table.sql))) throw new Error(NO_VIRTUAL);
  const rest = wanted.noSchema ? [] : [...sql.exec<Entry>(REST)].filter(isWanted);
  return statementsOf(sql, wanted, { tables, rest });
}

type Entry = { name: string; sql: string };

function* statementsOf(sql: SqlStorage, wanted: Wanted, schema: { tables: Entry[]; rest: Entry[] }): Generator<string> {
  yield "PRAGMA defer_foreign_keys=TRUE;\n";
  // All tables first: put off is the check of rows, but a table that rows refer to must be there when they come.
  const [own, others] = [schema.tables.filter(isSqlites), schema.tables.filter((table) => !isSqlites(table))];
  if (!wanted.noSchema) for (const { sql: text } of others) yield `${creationOf(text)}\n`;
  if (!wanted.noData) for (const { name } of others) yield* rowsOf(sql, name);
  for (const { name } of own) {
    if (!wanted.noSchema)
      yield name === "sqlite_sequence" ? "DELETE FROM sqlite_sequence;\n" : "ANALYZE sqlite_schema;\n";
    if (!wanted.noData) yield* rowsOf(sql, name);
  }
  for (const { sql: text } of schema.rest) yield `${text};\n`;
}

/** What exists already, or comes with what makes it. */
const isSqlites = ({ name }: Entry) => name.startsWith("sqlite_");

const NO_VIRTUAL = "D1 Export error: cannot export databases with Virtual Tables (fts5)";
const TABLES = `SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND sql NOT NULL
  ORDER BY tbl_name = 'sqlite_sequence', rowid`;
const REST = `SELECT name, sql FROM sqlite_schema WHERE type IN ('index', 'trigger', 'view') AND sql NOT NULL
  ORDER BY type COLLATE NOCASE, rowid`;

function creationOf(text: string): string {
  return /^CREATE TABLE ['"]/.test(text)
    ? `CREATE TABLE IF NOT EXISTS ${text.slice("CREATE TABLE ".length)};`
    : `${text};`;
}

/** Marks what SQLite has written out itself, since JavaScript has no whole numbers beyond 2^53 and no difference of 1 and 1.0. */
const WRITTEN = "\x01";

function* rowsOf(sql: SqlStorage, table: string): Generator<string> {
  const names = [...sql.exec<{ name: string }>(`PRAGMA table_info(${quotedName(table)})`)].map(({ name }) =>
    quotedName(name),
  );
  const cells = names.map(
    (name) => `CASE WHEN typeof(${name}) IN ('integer', 'real') THEN char(1) || quote(${name})
      WHEN typeof(${name}) = 'text' AND substr(${name}, 1, 1) = char(1) THEN char(1) || ${name} ELSE ${name} END`,
  );
  const head = `INSERT INTO ${quotedName(table)} (${names.join(",")}) VALUES(`;
  for (const row of sql.exec(`SELECT ${cells.join(", ")} FROM ${quotedName(table)}`).raw()) {
    yield `${head}${row.map(literalOf).join(",")});\n`;
  }
}

function literalOf(cell: SqlStorageValue): string {
  if (cell === null) return "NULL";
  if (cell instanceof ArrayBuffer) return hexOf(new Uint8Array(cell));
  const text = String(cell);
  if (!text.startsWith(WRITTEN)) return textOf(text);
  return text[1] === WRITTEN ? textOf(text.slice(1)) : text.slice(1);
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
function hexOf(bytes: Uint8Array): string {
  let digits = "";
  for (const byte of bytes) digits += HEX[byte];
  return `X'${digits}'`;
}

/** On one line, as SQLite's shell writes it; no literal can hold a NUL. */
function textOf(text: string): string {
  if (text.includes("\0")) return `CAST(${hexOf(new TextEncoder().encode(text))} AS TEXT)`;
  const isOneLine = !/[\n\r]/.test(text);
  const quoted = `'${text.replaceAll("'", "''")}'`;
  if (isOneLine) return quoted;
  // The shell writes \n and \r for them and puts them back, which a text that holds these very characters would not survive.
  if (/\\[nr]/.test(text)) return `CAST(${hexOf(new TextEncoder().encode(text))} AS TEXT)`;
  const escaped = quoted.replaceAll("\n", "\\n").replaceAll("\r", "\\r");
  const withReturns = text.includes("\r") ? `replace(${escaped},'\\r',char(13))` : escaped;
  return text.includes("\n") ? `replace(${withReturns},'\\n',char(10))` : withReturns;
}

function quotedName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
