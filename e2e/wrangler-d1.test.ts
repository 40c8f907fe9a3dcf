// What people do with databases by the stock wrangler, against a real agent; more of it in long/wrangler.test.ts. Its commands are slow to start, so that what does
// not depend on each other runs side by side.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { helloFiles, type Ran } from "./wrangler-client.js";
import { fine, startScene } from "./wrangler-scene.js";

const { agent, project, server, tokenOf } = await startScene({ after });

const jsonOf = (ran: Ran) => JSON.parse(fine(ran).stdout);

interface Asker {
  token: string;
  account: string;
}
const admin: Asker = { token: server.token, account: "main" };

/** A call of the API in place of a run of wrangler, where the run is not what is looked at. */
async function call(path: string, body?: object, { token, account }: Asker = admin) {
  const { status, text } = await agent.request("localhost", `/client/v4/accounts/${account}/d1/database${path}`, {
    ...{ method: body ? "POST" : "GET", headers: { authorization: `Bearer ${token}` } },
    ...(body && { body: JSON.stringify(body) }),
  });
  const { result, errors } = JSON.parse(text);
  return { status, result, code: errors[0]?.code as number | undefined };
}
const rowsOf = async (database: string, sql: string, as?: Asker) =>
  (await call(`/${database}/query`, { sql }, as)).result.at(-1).results;

/** A function with databases; makes a table in each and counts how often it was asked. */
const COUNTS = `export default {
  async fetch(request, env) {
    const counts = {};
    for (const [name, database] of Object.entries(env)) {
      if (typeof database.prepare !== "function" || name === "D1") continue;
      await database.exec("CREATE TABLE IF NOT EXISTS calls(n)");
      await database.prepare("INSERT INTO calls VALUES (?)").bind(1).run();
      counts[name] = await database.prepare("SELECT count(*) AS n FROM calls").first("n");
    }
    return Response.json(counts);
  },
};
`;
const counted = async (name: string) => JSON.parse((await agent.request(name)).text);
const bind = (...entries: string[]) => entries.map((entry) => `[[d1_databases]]\n${entry}\n`).join("");

describe("the stock wrangler", { concurrency: 2 }, () => {
  test("wrangler makes, asks, exports, rewinds and deletes a database", async () => {
    const shop = await project({
      ...helloFiles("shop", "x"),
      "seed.sql": `${"INSERT INTO orders (what) VALUES ('tea; black');\n".repeat(500)}-- the end`,
    });
    const run = (...args: string[]) => shop.run(["d1", ...args]);
    assert.match(fine(await run("create", "shop-data")).output, /database_id/);
    const made = await run(
      "execute",
      "shop-data",
      "--remote",
      "--json",
      "--command",
      [
        "CREATE TABLE orders(id INTEGER PRIMARY KEY, what TEXT, price REAL)",
        "INSERT INTO orders (what, price) VALUES ('cup', 2.5), (NULL, NULL)",
        "SELECT * FROM orders",
      ].join("; "),
    );
    assert.deepEqual(jsonOf(made)[2].results, [
      { id: 1, what: "cup", price: 2.5 },
      { id: 2, what: null, price: null },
    ]);
    const loaded = await run("execute", "shop-data", "--remote", "-y", "--file", "seed.sql");
    assert.match(fine(loaded).output, /Executed 500 queries/);

    const [travelled, exported] = await Promise.all([
      run("time-travel", "info", "shop-data", "--json"),
      run("export", "shop-data", "--remote", "--output", "out.sql"),
    ]);
    fine(exported);
    const sql = await readFile(join(shop.dir, "out.sql"), "utf8");
    assert.match(sql, /CREATE TABLE/);
    assert.equal(sql.match(/tea; black/g)?.length, 500);
    const { bookmark } = jsonOf(travelled);
    await rowsOf("shop-data", "DELETE FROM orders");
    fine(await run("time-travel", "restore", "shop-data", "--bookmark", bookmark, "--json"));
    assert.deepEqual(await rowsOf("shop-data", "SELECT count(*) AS n FROM orders"), [{ n: 502 }]);
    assert.match(fine(await run("delete", "shop-data", "-y")).output, /Deleted/);
    assert.equal((await call("/shop-data")).code, 7404);
  });

  test("wrangler applies migrations, and one that fails leaves the database as it was", async () => {
    const { result } = await call("", { name: "moved" });
    const moved = await project({
      ...helloFiles("moved", "x", bind(`binding = "DB"\ndatabase_name = "moved"\ndatabase_id = "${result.uuid}"`)),
      "migrations/0001_first.sql":
        "CREATE TABLE t(a);\nCREATE TRIGGER keep AFTER INSERT ON t BEGIN SELECT 1; SELECT 2; END;\n",
      "migrations/0002_second.sql": "ALTER TABLE t ADD COLUMN b; -- with a comment\n",
    });
    fine(await moved.run(["d1", "migrations", "apply", "DB", "--remote"]));
    await moved.write({ "migrations/0003_third.sql": "CREATE TABLE u(a);\nINSERT INTO nowhere VALUES (1);\n" });
    const failed = await moved.run(["d1", "migrations", "apply", "DB", "--remote"]);
    assert.notEqual(failed.code, 0);
    assert.match(failed.output, /nowhere/);
    const tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name IN ('t', 'u')";
    assert.deepEqual(await rowsOf("moved", tables), [{ name: "t" }]);
    const applied = await rowsOf("moved", "SELECT name FROM d1_migrations ORDER BY id");
    assert.deepEqual(applied, [{ name: "0001_first.sql" }, { name: "0002_second.sql" }]);
  });

  test("wrangler deploys functions with databases by id, by name, and made for them, and they stay the same", async () => {
    const { result } = await call("", { name: "by-id" });
    const entries = [
      `binding = "BY_ID"\ndatabase_name = "any"\ndatabase_id = "${result.uuid}"`,
      'binding = "BY_NAME"\ndatabase_name = "named-data"',
      'binding = "FRESH"',
    ];
    const counter = await project({ ...helloFiles("counter", "x", bind(...entries)), "src/index.js": COUNTS });
    fine(await counter.run(["deploy"]));
    assert.deepEqual(await counted("counter"), { BY_ID: 1, BY_NAME: 1, FRESH: 1 });
    fine(await counter.run(["deploy"]));
    assert.deepEqual(await counted("counter"), { BY_ID: 2, BY_NAME: 2, FRESH: 2 });
    for (const name of ["named-data", "counter-fresh"]) {
      assert.deepEqual(await rowsOf(name, "SELECT count(*) AS n FROM calls"), [{ n: 2 }]);
    }
  });

  test("two users neither see nor reach each other's databases, by name, by id or by an address (A7, B7)", async () => {
    const [ann, ben] = [await tokenOf("ann"), await tokenOf("ben")];
    assert.equal((await call("", { name: "diary" }, ann)).status, 200);
    const [{ uuid }] = (await call("", undefined, ann)).result;
    assert.deepEqual((await call("", undefined, ben)).result, []);

    const canary = "canary-of-the-diary";
    await rowsOf("diary", `CREATE TABLE t(a); INSERT INTO t VALUES ('${canary}')`, ann);
    const calls = [
      ["query", { sql: "SELECT * FROM t" }],
      ["export", { output_format: "polling" }],
      ["import", { action: "init", etag: "0".repeat(32) }],
    ] as const;
    for (const reference of [uuid, "diary"]) {
      for (const [path, body] of calls) {
        assert.equal((await call(`/${reference}/${path}`, body, ben)).code, 7404);
        assert.equal((await call(`/${reference}/${path}`, body, { ...ben, account: "ann" })).status, 403);
      }
    }
    const { result } = await call("/diary/export", { output_format: "polling" }, ann);
    const { pathname, search } = new URL(result.result.signed_url);
    const fetched = await agent.request("localhost", pathname + search);
    assert.ok(fetched.text.includes(canary));
    assert.equal((await agent.request("localhost", pathname + search)).status, 404);

    const stolen = await project({
      ...helloFiles("thief", "x", bind(`binding = "DB"\ndatabase_name = "diary"\ndatabase_id = "${uuid}"`)),
      "src/index.js": COUNTS,
    });
    await stolen.run(["deploy"], ben);
    assert.ok(!(await agent.request("thief")).text.includes(canary));
    const names = await rowsOf("diary", "SELECT name FROM sqlite_schema WHERE name NOT LIKE '\\_%' ESCAPE '\\'", ann);
    assert.deepEqual(names, [{ name: "t" }]);
    assert.ok(!agent.output().includes(canary));
  });
});
