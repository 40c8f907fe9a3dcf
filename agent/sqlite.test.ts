import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { openSqlite } from "./sqlite.js";

test("answers pragmas as better-sqlite3 does", () => {
  const db = openSqlite(":memory:");
  assert.equal(db.pragma("user_version = 7"), undefined);
  assert.equal(db.pragma("user_version", { simple: true }), 7);
  assert.deepEqual(db.pragma("user_version"), [{ user_version: 7 }]);
  db.close();
});

test("survives collections of garbage while no JavaScript runs, whatever was closed or forgotten", async () => {
  const db = openSqlite(":memory:");
  db.exec("CREATE TABLE t (a)");
  for (let round = 0; round < 100; round++) {
    openSqlite(":memory:").close();
    db.prepare("INSERT INTO t VALUES (?)").run("x");
    let garbage: unknown[] = Array.from({ length: 20_000 }, (_, n) => ({ n, text: `${n}` }));
    await new Promise((resolve) => setTimeout(resolve, 1));
    garbage = [];
    assert.equal(garbage.length, 0);
  }
  assert.equal(db.prepare("SELECT count(*) FROM t").pluck().get(), 100);
});

test("nothing but this file opens databases of its own", () => {
  const opening = readdirSync("agent", { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"))
    .filter((file) =>
      /from "better-sqlite3"/.test(readFileSync(join("agent", file), "utf8").replace(/^import type .*$/gm, "")),
    );
  assert.deepEqual(opening, ["sqlite.ts"]);
});
