import assert from "node:assert/strict";
import { test } from "node:test";
import { endsTransactions, placesOf, shapeOf } from "./statements.js";

const split = (sql: string) => [...placesOf(sql)].map(({ start, end }) => sql.slice(start, end));
const TRIGGER = `CREATE TRIGGER x AFTER INSERT ON t BEGIN
  UPDATE t SET a = CASE WHEN a > 1 THEN 2 ELSE 3 END;
  INSERT INTO u VALUES (';end;'); -- END;
END`;

for (const { name, sql, statements } of [
  { name: "two statements", sql: "select 1; select 2", statements: ["select 1", "select 2"] },
  { name: "no semicolon", sql: " select 1 ", statements: ["select 1"] },
  { name: "empty ones", sql: ";; select 1;;\n;", statements: ["select 1"] },
  { name: "nothing", sql: "", statements: [] },
  { name: "only comments", sql: "-- a\n/* b; c */ -- d", statements: [] },
  { name: "a comment behind", sql: "select 1 -- ; x\n", statements: ["select 1"] },
  { name: "a comment before and inside", sql: "/*;*/ select /*;*/ 1;", statements: ["select /*;*/ 1"] },
  { name: "strings", sql: "select ';'; select 'a'';b'", statements: ["select ';'", "select 'a'';b'"] },
  { name: "quoted names", sql: 'select ";", `;`, [;]; x', statements: ['select ";", `;`, [;]', "x"] },
  { name: "a string without an end", sql: "select 'a; b", statements: ["select 'a; b"] },
  { name: "a comment without an end", sql: "select 1 /* ; ", statements: ["select 1"] },
  { name: "minus and division", sql: "select 1-1; select 4/2;", statements: ["select 1-1", "select 4/2"] },
  { name: "a trigger", sql: `${TRIGGER}; select 1;`, statements: [TRIGGER, "select 1"] },
  { name: "a trigger at the end", sql: TRIGGER, statements: [TRIGGER] },
  {
    name: "a temporary trigger in small letters, explained",
    sql: `explain create temp trigger a after insert on t begin select 1; end; select 2`,
    statements: ["explain create temp trigger a after insert on t begin select 1; end", "select 2"],
  },
  {
    name: "a table that is named as a trigger would be",
    sql: `create table trigger_log (a); create /* trigger */ table b (c); end;`,
    statements: ["create table trigger_log (a)", "create /* trigger */ table b (c)", "end"],
  },
  {
    name: "a trigger with words between comments",
    sql: "create -- x\n trigger a after insert on t begin select 1; /* y */ end; select 2",
    statements: ["create -- x\n trigger a after insert on t begin select 1; /* y */ end", "select 2"],
  },
]) {
  test(`splits SQL text: ${name}`, () => assert.deepEqual(split(sql), statements));
}

for (const { sql, end, isRead } of [
  { sql: "SELECT * FROM t WHERE a = ?", end: 27, isRead: true },
  { sql: "select 1;", end: 8, isRead: true },
  { sql: "select 1 -- x", end: 8, isRead: true },
  { sql: "-- x\nselect ';' ;", end: 15, isRead: true },
  { sql: "select 1; delete from t", end: 23, isRead: false },
  { sql: "with a as (select 1) insert into t select * from a", end: 50, isRead: false },
  { sql: "selected", end: 8, isRead: false },
  { sql: "explain select 1", end: 16, isRead: true },
  { sql: "insert into t values (1);;", end: 24, isRead: false },
  { sql: " -- nothing", end: 0, isRead: false },
]) {
  test(`knows the end of ${JSON.stringify(sql)}, and whether it only reads`, () => {
    const shape = shapeOf(sql);
    assert.deepEqual({ end: shape.end, isRead: shape.isRead }, { end, isRead });
  });
}

test("knows the conflict clauses that would end a transaction, and nothing else by that word", () => {
  for (const sql of [
    "insert or rollback into t values (1)",
    "create table t (a unique on conflict ROLLBACK)",
    "create trigger a before insert on t begin select raise(/* */ rollback, 'no'); end",
  ])
    assert.ok(endsTransactions(sql), sql);
  for (const sql of ["insert into t values ('or rollback')", "select rollback from t -- or rollback", "rollback"])
    assert.ok(!endsTransactions(sql), sql);
});
