// Asks the same of a native database and of one behind a host name. A case is a path; its answer is what the function saw,
// results or error.

import { type D1Database, getD1 } from "wrkst-d1";

/** In this order, on both sides: later cases read what earlier ones wrote. */
export const CASES: Record<string, (db: D1Database) => unknown> = {
  "exec of several lines": (db) =>
    db.exec(
      "CREATE TABLE t (id INTEGER PRIMARY KEY, v, name TEXT)\nCREATE TABLE u (id INTEGER PRIMARY KEY, t REFERENCES t)",
    ),
  "exec of a wrong line": (db) => db.exec("SELECT 1;\nSELEC 2"),
  "run of an insert": (db) => db.prepare("INSERT INTO t (v, name) VALUES (?, ?)").bind(1, "one").run(),
  "run of a query": (db) => db.prepare("SELECT * FROM t").run(),
  "insert returning": (db) => db.prepare("INSERT INTO t (v, name) VALUES (?2, ?1) RETURNING *").bind("two", 2.5).all(),
  all: (db) => db.prepare("SELECT * FROM t ORDER BY id").all(),
  "all without rows": (db) => db.prepare("SELECT * FROM t WHERE id < 0").all(),
  first: (db) => db.prepare("SELECT * FROM t ORDER BY id").first(),
  "first of a column": (db) => db.prepare("SELECT name FROM t WHERE id = ?").bind(1).first("name"),
  "first that is null": (db) => db.prepare("SELECT NULL AS n").first("n"),
  "first without rows": (db) => db.prepare("SELECT 1 AS n WHERE 0").first("n"),
  "first of an unknown column": (db) => db.prepare("SELECT 1 AS n").first("m"),
  raw: (db) => db.prepare("SELECT id, name FROM t ORDER BY id").raw(),
  "raw with names": (db) => db.prepare("SELECT id, name, name FROM t ORDER BY id").raw({ columnNames: true }),
  "raw with names and no rows": (db) => db.prepare("SELECT id FROM t WHERE 0").raw({ columnNames: true }),
  "types of values": async (db) => {
    const values = [null, true, false, 0, -1.5, 2 ** 53, Number.NaN, "", "a\0b 👋", new Date(0).toISOString()];
    const columns = values.map((_, index) => `?${index + 1} AS c${index}, typeof(?${index + 1}) AS t${index}`);
    return db
      .prepare(`SELECT ${columns}`)
      .bind(...values)
      .first();
  },
  "types of blobs": async (db) => {
    const bytes = new Uint8Array([0, 1, 254, 255]);
    const values = [
      ...[
        [1, 2, 3],
        [],
        bytes.buffer,
        bytes,
        new Uint8ClampedArray(bytes),
        new Int8Array([1, -1]),
        bytes.subarray(1, 3),
      ],
      ...[new Uint16Array([1, 515]), new Int32Array([7]), new Float64Array([1.5]), new DataView(bytes.buffer)],
    ];
    return db
      .prepare(`SELECT ${values.map((_, index) => `? AS c${index}`)}`)
      .bind(...values)
      .first();
  },
  "a batch": (db) => {
    const insert = db.prepare("INSERT INTO t (name) VALUES (?)");
    return db.batch([insert.bind("three"), insert.bind("four"), db.prepare("SELECT count(*) AS n FROM t")]);
  },
  "a batch that fails": (db) =>
    db.batch([db.prepare("INSERT INTO t (name) VALUES ('lost')"), db.prepare("INSERT INTO t (id) VALUES (1)")]),
  "what a failed batch left": (db) => db.prepare("SELECT count(*) AS n FROM t").first("n"),
  "a batch of nothing": (db) => db.batch([]),
  "a batch of something else": (db) => db.batch([{} as never]),
  "no statement": (db) => db.prepare(" ; ").all(),
  "a syntax error": (db) => db.prepare("SELEC 1").first(),
  "a table that is not there": (db) => db.prepare("SELECT * FROM missing").all(),
  "a constraint": (db) => db.prepare("INSERT INTO t (id) VALUES (1)").run(),
  "a foreign key": (db) => db.prepare("INSERT INTO u (t) VALUES (99)").run(),
  "too few parameters": (db) => db.prepare("SELECT ?, ?").bind(1).first(),
  "too many parameters": (db) => db.prepare("SELECT 1").bind(1).first(),
  ...Object.fromEntries(
    ([undefined, 1n, {}, [256], ["a"], new Date(0), () => 1] as unknown[]).map((value) => [
      `a parameter that is ${Object.prototype.toString.call(value)} ${String(value)}`,
      (db: D1Database) => db.prepare("SELECT ?").bind(value).first(),
    ]),
  ),
  "bind leaves the statement alone": async (db) => {
    const statement = db.prepare("SELECT ? AS n");
    const [one, two] = [statement.bind(1), statement.bind(2)];
    return [await two.first("n"), await one.first("n"), one === two, await two.bind(3).first("n")];
  },
  "statements that run again": async (db) => {
    const statement = db.prepare("SELECT count(*) AS n FROM t");
    return [await statement.first("n"), await statement.first("n")];
  },
  "a session": async (db) => {
    const session = db.withSession();
    const before = session.getBookmark();
    const [row] = await session.batch([session.prepare("SELECT 1 AS one")]);
    const first = session.getBookmark() ?? "";
    await session.prepare("SELECT 2").run();
    return [before, row, first !== "" && first < (session.getBookmark() ?? "")];
  },
  "a session that goes on": async (db) => {
    const session = db.withSession("first-primary");
    const before = session.getBookmark();
    await session.prepare("SELECT 1").all();
    const next = db.withSession(` ${session.getBookmark()} `);
    return [before, next.getBookmark() === session.getBookmark()];
  },
  "a dump": (db) => db.dump(),
};

function described(error: unknown): unknown {
  if (!(error instanceof Error)) return String(error);
  const { name, message, cause } = error;
  return { name, message, cause: cause instanceof Error ? cause.message : typeof cause };
}

export default {
  async fetch(request, env) {
    const { pathname, searchParams } = new URL(request.url);
    const host = searchParams.get("host");
    const db = host ? getD1({ D1: host }) : getD1(env, "NATIVE");
    const ask = CASES[decodeURIComponent(pathname.slice(1))];
    if (!ask) return Response.json(Object.keys(CASES));
    try {
      return Response.json({ result: await ask(db) });
    } catch (error) {
      return Response.json({ error: described(error) });
    }
  },
} satisfies ExportedHandler<{ NATIVE: D1Database }>;
