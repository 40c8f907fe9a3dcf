// What code may expect of a D1 database: each case is run inside a worker of every target and gives the same everywhere, but
// for the entries of differences.ts. A module of its own, without imports, because it is loaded into those workers as it is.

/** As much of the global D1Database as is used here. */
export interface Db {
  prepare(sql: string): Statement;
  batch(statements: Statement[]): Promise<Result[]>;
  exec(sql: string): Promise<{ count: number; duration: number }>;
  withSession(constraint?: string): Session;
  dump(): Promise<ArrayBuffer>;
}
export interface Session {
  prepare(sql: string): Statement;
  batch(statements: Statement[]): Promise<Result[]>;
  getBookmark(): string | null;
}
export interface Statement {
  bind(...values: unknown[]): Statement;
  first(column?: string): Promise<unknown>;
  all(): Promise<Result>;
  run(): Promise<Result>;
  raw(options?: { columnNames?: boolean }): Promise<unknown[][]>;
}
export interface Result {
  success: boolean;
  results: Record<string, unknown>[];
  meta: Record<string, unknown>;
}

export interface Case {
  name: string;
  run(db: Db): Promise<unknown>;
  /** What it gives, as JSON. */
  gives: unknown;
}

const one = (db: Db, sql: string, ...values: unknown[]) =>
  db
    .prepare(sql)
    .bind(...values)
    .raw()
    .then(([row]) => row);
const rows = (db: Db, sql: string, ...values: unknown[]) =>
  db
    .prepare(sql)
    .bind(...values)
    .raw();
/** Message of what is thrown; it must be an Error with a cause, as D1's are. */
async function failure(action: () => unknown): Promise<string> {
  try {
    await action();
  } catch (error) {
    return (error as Error).message.replace(/(reference) = \w+/, "$1");
  }
  return "nothing was thrown";
}
/** A whole table of cases about what single expressions give. */
const expression = (name: string, sql: string, values: unknown[], gives: unknown): Case => ({
  name,
  run: (db) => one(db, sql, ...values),
  gives,
});
const refused = (name: string, sql: string, gives: string): Case => ({
  name: `refuses ${name}`,
  run: (db) => failure(() => db.prepare(sql).run()),
  gives,
});

const BYTES = [0, 1, 127, 128, 255];
const views: [string, () => unknown][] = [
  ["an ArrayBuffer", () => new Uint8Array(BYTES).buffer],
  ["a Uint8Array", () => new Uint8Array(BYTES)],
  ["a Uint8ClampedArray", () => new Uint8ClampedArray(BYTES)],
  ["an array of bytes", () => BYTES],
];
const NOT_AUTHORIZED = "D1_ERROR: not authorized: SQLITE_AUTH";
const NO_TRANSACTION =
  "D1_ERROR: To execute a transaction, please use the state.storage.transaction() or state.storage.transactionSync() APIs instead of the SQL BEGIN TRANSACTION or SAVEPOINT statements. The JavaScript API is safer because it will automatically roll back on exceptions, and because it interacts correctly with Durable Objects' automatic atomic write coalescing.";

const types: Case[] = [
  expression("null", "SELECT ?, typeof(?1)", [null], [null, "null"]),
  expression("text", "SELECT ?, length(?1)", ["héllo 🙂"], ["héllo 🙂", 7]),
  expression("text with NUL", "SELECT ?", ["a\0b"], ["a\0b"]),
  expression("empty text", "SELECT ?, typeof(?1)", [""], ["", "text"]),
  expression("text with quotes, new lines and emoji", "SELECT ?", [`'"\`\n\r\\n🏳️‍🌈`], [`'"\`\n\r\\n🏳️‍🌈`]),
  expression("booleans", "SELECT ?, ?", [true, false], [1, 0]),
  expression("real numbers", "SELECT ?, ?, ?", [0.1, -1e300, 5e-324], [0.1, -1e300, 5e-324]),
  expression(
    "whole numbers that JavaScript knows",
    "SELECT ?, ?",
    [9007199254740991, -9007199254740991],
    [9007199254740991, -9007199254740991],
  ),
  expression(
    "the limits of int64, as JavaScript's nearest",
    "SELECT 9223372036854775807, -9223372036854775808",
    [],
    [2 ** 63, -(2 ** 63)],
  ),
  expression("infinity is JSON's null", "SELECT 9e999, -9e999", [], [null, null]),
  expression("an empty blob", "SELECT ?, typeof(?1)", [new Uint8Array()], [[], "blob"]),
  expression(
    "whole numbers are stored as such in an integer column",
    "SELECT typeof(CAST(? AS INTEGER))",
    [3],
    ["integer"],
  ),
  ...views.map(
    ([name, make]): Case => ({
      name: `a blob from ${name}`,
      run: (db) => one(db, "SELECT ?, typeof(?1), length(?1)", make()),
      gives: [BYTES, "blob", BYTES.length],
    }),
  ),
  {
    name: "other typed arrays are bound by their elements",
    run: async (db) => [
      await failure(() => one(db, "SELECT ?", new Float64Array([1, 2]))),
      await one(db, "SELECT ?", new Uint16Array([1, 2])),
      await one(db, "SELECT ?", new Int8Array([1, -1])),
    ],
    gives: ["nothing was thrown", [[1, 2]], [[1, 255]]],
  },
  ...[
    { name: "undefined", value: undefined, said: "Type 'undefined' not supported for value 'undefined'" },
    { name: "an object", value: {}, said: "Type 'object' not supported for value '[object Object]'" },
    { name: "a bigint", value: 1n, said: "Type 'bigint' not supported for value '1'" },
    { name: "an array of text", value: ["a"], said: "Type 'object' not supported for value 'a'" },
  ].map(
    ({ name, value, said }): Case => ({
      name: `refuses to bind ${name}`,
      run: (db) => failure(() => db.prepare("SELECT ?").bind(value)),
      gives: `D1_TYPE_ERROR: ${said}`,
    }),
  ),
];

const parameters: Case[] = [
  {
    name: "100 bound parameters, and no more",
    run: async (db) => {
      const numbers = (count: number) => Array.from({ length: count }, (_, index) => index);
      const find = (count: number) => one(db, `SELECT 99 IN (${numbers(count).map(() => "?")})`, ...numbers(count));
      return [await find(100), await failure(() => find(101))];
    },
    gives: [[1], "D1_ERROR: too many SQL variables at offset 214: SQLITE_ERROR"],
  },
  expression("numbered parameters", "SELECT ?2, ?1, ?2", ["a", "b"], ["b", "a", "b"]),
  expression("named parameters count from one", "SELECT :a, @b, $c, :a", [1, 2, 3], [1, 2, 3, 1]),
  ...[
    { name: "too few parameters", values: [1] },
    { name: "too many parameters", values: [1, 2, 3] },
  ].map(
    ({ name, values }): Case => ({
      name: `refuses ${name}`,
      run: (db) => failure(() => one(db, "SELECT ?, ?", ...values)),
      gives: "D1_ERROR: Wrong number of parameter bindings for SQL query.",
    }),
  ),
  {
    name: "a statement can be bound and run again",
    run: async (db) => {
      const statement = db.prepare("SELECT ? AS x");
      const [a, b] = [statement.bind(1), statement.bind(2)];
      return [await b.first("x"), await a.first("x"), await b.first("x")];
    },
    gives: [2, 1, 2],
  },
];

const answers: Case[] = [
  {
    name: "first gives a row, a column, null without rows, and refuses a column that is not there",
    run: async (db) => {
      const statement = db.prepare("SELECT 1 AS a, 'x' AS b UNION ALL SELECT 2, 'y'");
      return [
        await statement.first(),
        await statement.first("b"),
        await db.prepare("SELECT 1 AS a WHERE 0").first("a"),
        await failure(() => statement.first("c")),
      ];
    },
    gives: [{ a: 1, b: "x" }, "x", null, "D1_COLUMN_NOTFOUND: Column not found (c)"],
  },
  {
    name: "raw gives rows as arrays, with the names of the columns if asked, also without rows",
    run: async (db) => [
      await db.prepare("SELECT 1 AS a, 2 AS b").raw(),
      await db.prepare("SELECT 1 AS a, 2 AS b").raw({ columnNames: true }),
      await db.prepare("SELECT 1 AS a, 2 AS b WHERE 0").raw({ columnNames: true }),
    ],
    gives: [
      [[1, 2]],
      [
        ["a", "b"],
        [1, 2],
      ],
      [["a", "b"]],
    ],
  },
  {
    name: "columns of one name are all in raw, and the last one in objects",
    run: async (db) => {
      const statement = db.prepare("SELECT 1 AS a, 2 AS a");
      return [await statement.raw({ columnNames: true }), (await statement.all()).results];
    },
    gives: [
      [
        ["a", "a"],
        [1, 2],
      ],
      [{ a: 2 }],
    ],
  },
  {
    name: "run gives rows too",
    run: async (db) => (await db.prepare("SELECT 1 AS a").run()).results,
    gives: [{ a: 1 }],
  },
  {
    name: "100 columns, and no more",
    run: async (db) => {
      const columns = (count: number) => Array.from({ length: count }, (_, index) => `${index} AS c${index}`).join();
      return [
        (await one(db, `SELECT ${columns(100)}`))!.length,
        await failure(() => one(db, `SELECT ${columns(101)}`)),
      ];
    },
    gives: [100, "D1_ERROR: too many columns in result set: SQLITE_ERROR"],
  },
  {
    name: "ten thousand rows",
    run: async (db) => {
      const { results } = await db
        .prepare(
          "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 10000) SELECT x, 'row ' || x AS t FROM c",
        )
        .all();
      return [results.length, results[9999]];
    },
    gives: [10000, { x: 10000, t: "row 10000" }],
  },
  {
    name: "a text and a blob of a million bytes",
    run: (db) => one(db, "SELECT length(?), length(zeroblob(1000000))", "x".repeat(1_000_000)),
    gives: [1_000_000, 1_000_000],
  },
  refused(
    "a statement of more than 100 KB",
    `SELECT ${"1,".repeat(60_000)}1`,
    "D1_ERROR: statement too long: SQLITE_TOOBIG",
  ),
];

const writes: Case[] = [
  {
    name: "meta of inserts, updates, deletes and reads",
    run: async (db) => {
      await db.exec("CREATE TABLE meta_t (id INTEGER PRIMARY KEY, v TEXT)");
      const statements = [
        "INSERT INTO meta_t (v) VALUES ('a'), ('b'), ('c')",
        "UPDATE meta_t SET v = 'x' WHERE id > 1",
        "SELECT * FROM meta_t",
        "UPDATE meta_t SET v = 'y' WHERE id > 9",
        "DELETE FROM meta_t WHERE id = 1",
      ];
      const metas = [];
      for (const sql of statements) metas.push((await db.prepare(sql).run()).meta);
      return metas.map((meta) => [meta.changes, meta.last_row_id, meta.changed_db, meta.rows_read, meta.rows_written]);
    },
    gives: [
      [3, 3, true, 0, 3],
      [2, 3, true, 2, 2],
      [0, 3, false, 3, 0],
      [0, 3, false, 1, 0],
      [1, 3, true, 1, 1],
    ],
  },
  {
    name: "meta says the size, a duration and that the primary served",
    run: async (db) => {
      const { meta, success } = await db.prepare("SELECT 1").all();
      return [success, typeof meta.size_after, typeof meta.duration, typeof meta.served_by];
    },
    gives: [true, "number", "number", "string"],
  },
  {
    name: "RETURNING",
    run: async (db) => {
      await db.exec("CREATE TABLE ret_t (id INTEGER PRIMARY KEY, v TEXT)");
      return [
        (await db.prepare("INSERT INTO ret_t (v) VALUES ('a'), ('b') RETURNING id, upper(v) AS u").all()).results,
        await db.prepare("UPDATE ret_t SET v = 'z' WHERE id = 2 RETURNING v").first("v"),
        await db.prepare("DELETE FROM ret_t RETURNING id").raw(),
      ];
    },
    gives: [
      [
        { id: 1, u: "A" },
        { id: 2, u: "B" },
      ],
      "z",
      [[1], [2]],
    ],
  },
  {
    name: "upsert",
    run: async (db) => {
      await db.exec("CREATE TABLE up_t (k TEXT PRIMARY KEY, n INTEGER)");
      const add = db.prepare("INSERT INTO up_t VALUES (?, 1) ON CONFLICT (k) DO UPDATE SET n = n + 1 RETURNING n");
      return [await add.bind("a").first("n"), await add.bind("a").first("n")];
    },
    gives: [1, 2],
  },
  {
    name: "triggers fire, and what they change counts",
    run: async (db) => {
      await db.exec("CREATE TABLE tr_t (v TEXT)\nCREATE TABLE tr_log (v TEXT)");
      await db
        .prepare(
          "CREATE TRIGGER tr_x AFTER INSERT ON tr_t BEGIN INSERT INTO tr_log VALUES (CASE WHEN new.v = 'a' THEN 'was a' ELSE 'other' END); END;",
        )
        .run();
      const { meta } = await db.prepare("INSERT INTO tr_t VALUES ('a'), ('b')").run();
      return [meta.changes, await rows(db, "SELECT v FROM tr_log")];
    },
    gives: [4, [["was a"], ["other"]]],
  },
  {
    name: "foreign keys are kept, and cascade",
    run: async (db) => {
      await db.exec(
        "CREATE TABLE fk_p (id INTEGER PRIMARY KEY)\nCREATE TABLE fk_c (p INTEGER REFERENCES fk_p (id) ON DELETE CASCADE)",
      );
      await db.exec("INSERT INTO fk_p VALUES (1), (2)\nINSERT INTO fk_c VALUES (1), (1), (2)");
      const refusal = await failure(() => db.prepare("INSERT INTO fk_c VALUES (9)").run());
      const { meta } = await db.prepare("DELETE FROM fk_p WHERE id = 1").run();
      return [refusal, meta.changes, await one(db, "SELECT count(*) FROM fk_c")];
    },
    gives: [
      "D1_ERROR: FOREIGN KEY constraint failed: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_FOREIGNKEY)",
      3,
      [1],
    ],
  },
  {
    name: "foreign keys can be put off to the end of a batch",
    run: async (db) => {
      await db.exec("CREATE TABLE df_p (id INTEGER PRIMARY KEY)\nCREATE TABLE df_c (p INTEGER REFERENCES df_p (id))");
      await db.batch(
        ["PRAGMA defer_foreign_keys = on", "INSERT INTO df_c VALUES (7)", "INSERT INTO df_p VALUES (7)"].map((sql) =>
          db.prepare(sql),
        ),
      );
      return one(db, "SELECT p FROM df_c");
    },
    gives: [7],
  },
  {
    name: "a batch that leaves foreign keys broken is refused, and the database goes on",
    run: async (db) => {
      await db.exec("CREATE TABLE dg_p (id INTEGER PRIMARY KEY)\nCREATE TABLE dg_c (p INTEGER REFERENCES dg_p (id))");
      const batch = ["PRAGMA defer_foreign_keys = on", "INSERT INTO dg_c VALUES (7)"].map((sql) => db.prepare(sql));
      return [await failure(() => db.batch(batch)), await one(db, "SELECT count(*) FROM dg_c")];
    },
    gives: ["D1_ERROR: FOREIGN KEY constraint failed: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_FOREIGNKEY)", [0]],
  },
];

const constraints: Case[] = [
  {
    on: "UNIQUE",
    sql: "INSERT INTO con_t (u, n, c) VALUES ('a', 1, 1)",
    said: "UNIQUE constraint failed: con_t.u",
    name: "UNIQUE",
  },
  {
    on: "a primary key",
    sql: "INSERT INTO con_t (id, u, n, c) VALUES (1, 'b', 1, 1)",
    said: "UNIQUE constraint failed: con_t.id",
    name: "PRIMARYKEY",
  },
  {
    on: "NOT NULL",
    sql: "INSERT INTO con_t (u, c) VALUES ('c', 1)",
    said: "NOT NULL constraint failed: con_t.n",
    name: "NOTNULL",
  },
  {
    on: "CHECK",
    sql: "INSERT INTO con_t (u, n, c) VALUES ('d', 1, -1)",
    said: "CHECK constraint failed: c > 0",
    name: "CHECK",
  },
  {
    on: "STRICT",
    sql: "INSERT INTO con_s VALUES ('x')",
    said: "cannot store TEXT value in INTEGER column con_s.n",
    name: "DATATYPE",
  },
].map(({ on, sql, said, name }) => ({
  name: `the error of ${on} names the constraint`,
  run: async (db: Db) => {
    await db.exec(
      "CREATE TABLE IF NOT EXISTS con_t (id INTEGER PRIMARY KEY, u TEXT UNIQUE, n INTEGER NOT NULL, c INTEGER CHECK (c > 0))\nCREATE TABLE IF NOT EXISTS con_s (n INTEGER) STRICT\nINSERT OR IGNORE INTO con_t VALUES (1, 'a', 1, 1)",
    );
    return failure(() => db.prepare(sql).run());
  },
  gives: `D1_ERROR: ${said}: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_${name})`,
}));

const transactions: Case[] = [
  {
    name: "a batch is one transaction: what fails leaves nothing",
    run: async (db) => {
      await db.exec("CREATE TABLE ba_t (id INTEGER PRIMARY KEY)");
      const insert = db.prepare("INSERT INTO ba_t VALUES (?)");
      const said = await failure(() => db.batch([insert.bind(1), insert.bind(2), insert.bind(1)]));
      return [said, await one(db, "SELECT count(*) FROM ba_t")];
    },
    gives: [
      "D1_ERROR: UNIQUE constraint failed: ba_t.id: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_PRIMARYKEY)",
      [0],
    ],
  },
  {
    name: "a batch gives the results of each, in order, and sees its own writes",
    run: async (db) => {
      await db.exec("CREATE TABLE bb_t (id INTEGER PRIMARY KEY, v TEXT)");
      const results = await db.batch([
        db.prepare("INSERT INTO bb_t (v) VALUES (?)").bind("a"),
        db.prepare("SELECT v FROM bb_t"),
        db.prepare("UPDATE bb_t SET v = ?").bind("b"),
        db.prepare("SELECT v FROM bb_t"),
      ]);
      return results.map(({ results: found, meta }) => [found, meta.changes]);
    },
    gives: [
      [[], 1],
      [[{ v: "a" }], 0],
      [[], 1],
      [[{ v: "b" }], 0],
    ],
  },
  {
    name: "concurrent batches do not see each other half done",
    run: async (db) => {
      await db.exec("CREATE TABLE bc_t (a INTEGER, b INTEGER)\nINSERT INTO bc_t VALUES (0, 0)");
      const read = db.prepare("SELECT a = b AS same FROM bc_t");
      const work = Array.from({ length: 20 }, () =>
        db.batch([db.prepare("UPDATE bc_t SET a = a + 1"), db.prepare("UPDATE bc_t SET b = b + 1"), read]),
      );
      const reads = Array.from({ length: 20 }, () => read.first("same"));
      const seen = [
        ...(await Promise.all(work)).map((results) => results[2]!.results[0]!.same),
        ...(await Promise.all(reads)),
      ];
      return [seen.every((same) => same === 1), await one(db, "SELECT a, b FROM bc_t")];
    },
    gives: [true, [20, 20]],
  },
  {
    name: "an empty batch is refused",
    run: (db) => failure(() => db.batch([])),
    gives: "D1_ERROR: No SQL statements detected.",
  },
  {
    name: "exec runs lines, and counts them",
    run: async (db) => {
      const { count, duration } = await db.exec(
        "CREATE TABLE ex_t (v TEXT)\nINSERT INTO ex_t VALUES ('a');\n-- a comment\nINSERT INTO ex_t VALUES ('b')",
      );
      return [count, typeof duration, await rows(db, "SELECT v FROM ex_t")];
    },
    gives: [3, "number", [["a"], ["b"]]],
  },
  {
    name: "exec names the line that failed, and leaves nothing of those before it",
    run: async (db) => {
      await db.exec("CREATE TABLE ey_t (v TEXT)");
      const said = await failure(() => db.exec("INSERT INTO ey_t VALUES ('a')\nINSERT INTO nowhere VALUES (1)"));
      return [said, await one(db, "SELECT count(*) FROM ey_t")];
    },
    gives: [
      "D1_EXEC_ERROR: Error in line 2: INSERT INTO nowhere VALUES (1): no such table: nowhere: SQLITE_ERROR",
      [0],
    ],
  },
  {
    name: "exec takes several statements in one line",
    run: async (db) => {
      await db.exec("CREATE TABLE ez_t (v TEXT); INSERT INTO ez_t VALUES ('a;b'); INSERT INTO ez_t VALUES ('c');");
      return rows(db, "SELECT v FROM ez_t");
    },
    gives: [["a;b"], ["c"]],
  },
  {
    name: "several statements in one prepared text give the rows of the last",
    run: (db) => rows(db, "SELECT 1; SELECT 2, 3;"),
    gives: [[2, 3]],
  },
  {
    name: "what fails in a text of several statements leaves nothing of those before it",
    run: async (db) => {
      await db.exec("CREATE TABLE ms_t (v TEXT)");
      const said = await failure(() =>
        db.prepare("INSERT INTO ms_t VALUES ('a'); INSERT INTO nowhere VALUES (1)").run(),
      );
      return [said.replace(/ at offset \d+/, ""), await one(db, "SELECT count(*) FROM ms_t")];
    },
    gives: ["D1_ERROR: no such table: nowhere: SQLITE_ERROR", [0]],
  },
  {
    name: "INSERT OR FAIL leaves nothing of what came before the failure",
    run: async (db) => {
      await db.exec("CREATE TABLE of_t (id INTEGER PRIMARY KEY)\nINSERT INTO of_t VALUES (2)");
      await failure(() => db.prepare("INSERT OR FAIL INTO of_t VALUES (1), (2), (3)").run());
      return rows(db, "SELECT id FROM of_t");
    },
    gives: [[2]],
  },
  {
    name: "a conflict clause cannot roll back what others do",
    run: async (db) => {
      await db.exec("CREATE TABLE or_t (id INTEGER PRIMARY KEY)\nINSERT INTO or_t VALUES (2)");
      return failure(() => db.prepare("INSERT OR ROLLBACK INTO or_t VALUES (2)").run());
    },
    gives: "D1_ERROR: conflict resolution ROLLBACK is not supported, use ABORT: SQLITE_ERROR",
  },
];

const texts: Case[] = [
  ...[
    { name: "a comment behind", sql: "SELECT 1 -- one" },
    { name: "a comment before", sql: "-- one\nSELECT 1" },
    { name: "a block comment with a semicolon", sql: "/* ; */ SELECT /* ; */ 1; /* ; */" },
    { name: "trailing semicolons and white space", sql: "  SELECT 1 ;; \n ; " },
  ].map(({ name, sql }): Case => ({ name: `takes ${name}`, run: (db) => one(db, sql), gives: [1] })),
  ...["", "  ", ";", "-- nothing", "/* nothing */"].map(
    (sql): Case => ({
      name: `refuses a text without statements: ${JSON.stringify(sql)}`,
      run: (db) => failure(() => db.prepare(sql).all()),
      gives: "D1_ERROR: No SQL statements detected.",
    }),
  ),
  refused(
    "what is no SQL, with the place",
    "SELEC 1",
    'D1_ERROR: near "SELEC": syntax error at offset 0: SQLITE_ERROR',
  ),
  refused("an unknown table", "SELECT * FROM nowhere", "D1_ERROR: no such table: nowhere: SQLITE_ERROR"),
  refused("an unknown column", "SELECT missing", "D1_ERROR: no such column: missing at offset 7: SQLITE_ERROR"),
  refused("a text that ends early", "SELECT (1", "D1_ERROR: incomplete input: SQLITE_ERROR"),
];

const refusals: Case[] = [
  ...["BEGIN", "BEGIN IMMEDIATE TRANSACTION", "COMMIT", "ROLLBACK", "SAVEPOINT a"].map((sql) =>
    refused(sql, sql, NO_TRANSACTION),
  ),
  refused("ATTACH", "ATTACH 'other' AS other", NOT_AUTHORIZED),
  refused("DETACH", "DETACH main", NOT_AUTHORIZED),
  refused("VACUUM", "VACUUM", "D1_ERROR: cannot VACUUM from within a transaction: SQLITE_ERROR"),
  refused(
    "VACUUM INTO",
    "VACUUM INTO '/tmp/stolen.sqlite'",
    "D1_ERROR: cannot VACUUM from within a transaction: SQLITE_ERROR",
  ),
  refused("load_extension", "SELECT load_extension('x')", "D1_ERROR: not authorized: SQLITE_ERROR"),
  ...[
    "journal_mode",
    "journal_mode = delete",
    "synchronous = off",
    "writable_schema = on",
    "max_page_count",
    "user_version",
    "database_list",
  ].map((pragma) => refused(`PRAGMA ${pragma}`, `PRAGMA ${pragma}`, NOT_AUTHORIZED)),
  refused("tables of the platform", "CREATE TABLE _cf_mine (a)", "D1_ERROR: not authorized: SQLITE_AUTH"),
  {
    name: "PRAGMAs that D1 allows",
    run: async (db) => {
      await db.exec("CREATE TABLE pr_t (id INTEGER PRIMARY KEY, v TEXT)\nCREATE INDEX pr_i ON pr_t (v)");
      return [
        await db.prepare("PRAGMA table_info(pr_t)").raw(),
        await db.prepare("PRAGMA index_list('pr_t')").raw(),
        await db.prepare("PRAGMA foreign_key_check").raw(),
        await db.prepare("PRAGMA foreign_keys").raw(),
        await db.prepare("PRAGMA quick_check").raw(),
        (await db.prepare("PRAGMA optimize").all()).success,
      ];
    },
    gives: [
      [
        [0, "id", "INTEGER", 0, null, 1],
        [1, "v", "TEXT", 0, null, 0],
      ],
      [[0, "pr_i", 0, "c", 0]],
      [],
      [[1]],
      [["ok"]],
      true,
    ],
  },
  {
    name: "no table of the platform is seen",
    run: (db) => rows(db, "SELECT name FROM sqlite_schema WHERE name LIKE '\\_cf\\_%' ESCAPE '\\'"),
    gives: [],
  },
  {
    name: "dump is no longer offered",
    run: async (db) => (await failure(() => db.dump())).slice(0, 13),
    gives: "D1_DUMP_ERROR",
  },
];

const features: Case[] = [
  {
    name: "FTS5",
    run: async (db) => {
      await db.prepare("CREATE VIRTUAL TABLE ft_t USING fts5 (title, body)").run();
      await db.prepare("INSERT INTO ft_t VALUES (?, ?), (?, ?)").bind("one", "a quick fox", "two", "a lazy dog").run();
      return rows(db, "SELECT title, highlight(ft_t, 1, '<', '>') FROM ft_t WHERE ft_t MATCH 'quick'");
    },
    gives: [["one", "a <quick> fox"]],
  },
  expression(
    "JSON functions",
    `SELECT json_extract(?, '$.a[1]'), ?1 ->> '$.b', json_array(1, 'x'), json_valid('{')`,
    ['{"a":[1,2],"b":"c"}'],
    [2, "c", '[1,"x"]', 0],
  ),
  {
    name: "json_each and json_group_array",
    run: (db) => one(db, "SELECT json_group_array(value * 2) FROM json_each(?)", "[1,2,3]"),
    gives: ["[2,4,6]"],
  },
  {
    name: "generated columns",
    run: async (db) => {
      await db.exec(
        "CREATE TABLE ge_t (a INTEGER, b INTEGER AS (a * 2) STORED, c TEXT AS (a || '!') VIRTUAL)\nINSERT INTO ge_t (a) VALUES (4)",
      );
      return (await db.prepare("SELECT * FROM ge_t").all()).results;
    },
    gives: [{ a: 4, b: 8, c: "4!" }],
  },
  expression(
    "window functions",
    "SELECT group_concat(r) FROM (SELECT row_number() OVER (ORDER BY x DESC) AS r FROM (SELECT 1 AS x UNION ALL SELECT 2))",
    [],
    ["1,2"],
  ),
  expression(
    "functions of mathematics, dates and texts",
    "SELECT round(sqrt(5), 3), date(0, 'unixepoch'), printf('%05d', 42), 'a' LIKE 'A', unixepoch('1970-01-02')",
    [],
    [2.236, "1970-01-01", "00042", 1, 86400],
  ),
  {
    name: "indexes, views, ALTER TABLE and WITHOUT ROWID",
    run: async (db) => {
      await db.exec(
        "CREATE TABLE al_t (k TEXT PRIMARY KEY) WITHOUT ROWID\nINSERT INTO al_t VALUES ('x')\nALTER TABLE al_t ADD COLUMN n INTEGER DEFAULT 5\nCREATE VIEW al_v AS SELECT k, n FROM al_t\nCREATE UNIQUE INDEX al_i ON al_t (n)\nALTER TABLE al_t RENAME COLUMN n TO m",
      );
      return (await db.prepare("SELECT * FROM al_v").all()).results;
    },
    gives: [{ k: "x", m: 5 }],
  },
  {
    name: "EXPLAIN QUERY PLAN",
    run: async (db) => (await one(db, "EXPLAIN QUERY PLAN SELECT 1"))![3],
    gives: "SCAN CONSTANT ROW",
  },
];

const sessions: Case[] = [
  {
    name: "a session has no bookmark before its first query, and one that grows from then on",
    run: async (db) => {
      const session = db.withSession("first-primary");
      const before = session.getBookmark();
      await session.prepare("SELECT 1").first();
      const first = session.getBookmark()!;
      await session.batch([session.prepare("SELECT 1")]);
      const second = session.getBookmark()!;
      return [before, typeof first, first.length > 0, first.localeCompare(second) < 1];
    },
    gives: [null, "string", true, true],
  },
  {
    name: "a session goes on from the bookmark of another and sees its writes",
    run: async (db) => {
      await db.exec("CREATE TABLE se_t (v TEXT)");
      const writer = db.withSession();
      await writer.prepare("INSERT INTO se_t VALUES ('a')").run();
      const bookmark = writer.getBookmark()!;
      const reader = db.withSession(bookmark);
      return [reader.getBookmark() === bookmark, await reader.prepare("SELECT v FROM se_t").first("v")];
    },
    gives: [true, "a"],
  },
];

export const cases: Case[] = [
  ...types,
  ...parameters,
  ...answers,
  ...writes,
  ...constraints,
  ...transactions,
  ...texts,
  ...refusals,
  ...features,
  ...sessions,
];
